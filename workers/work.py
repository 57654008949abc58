"""Folders for temporary files: one for each task, gone at its end, or once the process that made it is."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from schema.errors import DiskFull
from schema.settings import current

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def work_folder() -> Iterator[str]:
    """A folder for one task, removed at its end.

    Raises:
        DiskFull: there is no room for the folder, or for what was to be written inside the block.
    """
    root = work_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root, prefix=f"{os.getpid()}-") as folder:
            yield folder
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(f"there is no room left in {root}") from error
        raise


def clear_work() -> int:
    """Remove what processes that are gone left behind; how many folders."""
    left = [path for path in work_root().glob("*-*") if not _runs(path.name.partition("-")[0])]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def work_root() -> Path:
    """Where temporary files of this machine's workers are."""
    return Path(current().data_dir) / "work"


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
