"""Files below ``POSEFLEET_READY_DIR`` that say how a process is; probes look at them, so nothing has to be asked."""

import os
import time
from pathlib import Path

from schema.settings import current

BEAT_S = 10.0
CONSUMING, HEARTBEAT = "consuming", "heartbeat"
_SPARE_S = 1.0
"""Beats that follow each other faster are left out."""
_last_beat_s = 0.0


def touch(name: str) -> None:
    """Say ``name``; nothing where nobody looks."""
    if (folder := current().ready_dir) is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def unready() -> None:
    """Say that this worker takes no more."""
    if (folder := current().ready_dir) is not None:
        (folder / CONSUMING).unlink(missing_ok=True)


def beat() -> None:
    """Say that this process gets on. Cheap enough for loops: most calls do nothing."""
    global _last_beat_s
    if time.monotonic() - _last_beat_s >= _SPARE_S:
        _last_beat_s = time.monotonic()
        touch(HEARTBEAT)


def beat_for_processes() -> None:
    """Beat, and take back what processes have said that are gone."""
    beat()
    folder = current().ready_dir
    for said in folder.glob("*-*") if folder is not None else ():
        if not _lives(said):
            said.unlink(missing_ok=True)


def _lives(said: Path) -> bool:
    try:
        os.kill(int(said.name.rpartition("-")[2]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
