"""Memory that a worker and the process that reads sources share: frames go through it, a few at a time."""

import fcntl
import mmap
import os
import tempfile

#: Kept between calls; what larger frames took beyond it is given back.
KEPT_BYTES = 96 << 20
MOST_SLOTS = 6
_BYTES_PER_PIXEL = 8
_SPARE = 64 << 20
_PAGE = 4096


def capacity(pixels: int) -> int:
    """Bytes of the ring where frames have at most ``pixels``."""
    return KEPT_BYTES + _SPARE + pixels * _BYTES_PER_PIXEL


def slots(frame_bytes: int) -> int:
    """How many frames of that size wait in the ring at most."""
    return max(1, min(MOST_SLOTS, KEPT_BYTES // max(1, slot_bytes(frame_bytes))))


def slot_bytes(frame_bytes: int) -> int:
    """What one frame takes in the ring."""
    return -(-frame_bytes // _PAGE) * _PAGE


def new_file(size: int) -> int:
    """A file in memory without a name, of a size that nobody can change; its descriptor."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return os.dup(file.fileno())
    descriptor = os.memfd_create("posefleet", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor


def mapped(descriptor: int, size: int) -> mmap.mmap:
    """The file in this process's memory."""
    return mmap.mmap(descriptor, size)


def release(memory: mmap.mmap, kept: int = KEPT_BYTES) -> None:
    """Give back what lies beyond ``kept`` bytes."""
    if hasattr(mmap, "MADV_REMOVE"):
        memory.madvise(mmap.MADV_REMOVE, kept, len(memory) // _PAGE * _PAGE - kept)
