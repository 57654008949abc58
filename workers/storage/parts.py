"""A read-only file whose bytes come in parts, from wherever they are."""

import io
from abc import ABC, abstractmethod


class FileOfParts(ABC):
    """A binary file to read; position and loop are here, the bytes come from `at`."""

    def __init__(self, size: int, *, seekable: bool = True) -> None:
        self.size = size
        """Bytes."""
        self._seekable = seekable
        self._position = 0

    @abstractmethod
    def at(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``position``, at least one."""

    @property
    def closed(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        stop = self.size if size < 0 else min(self.size, self._position + size)
        parts = []
        while self._position < stop:
            part = self.at(self._position, stop - self._position)
            self._position += len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
