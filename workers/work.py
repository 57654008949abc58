"""Folders for temporary files: one for each task, gone at its end, or once the process that made it is."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from schema.settings import current


def work_folder() -> "TemporaryDirectory[str]":
    """A folder for one task, removed at its end."""
    root = _root()
    root.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=root, prefix=f"{os.getpid()}-")


def clear_work() -> int:
    """Remove what processes that are gone left behind; how many folders."""
    left = [path for path in _root().glob("*-*") if not _runs(path.name.partition("-")[0])]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _root() -> Path:
    return Path(current().data_dir) / "work"


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
