"""An object in storage as a seekable file, read by ranged GETs of one version of it."""

import io
from collections import OrderedDict

from workers.storage.port import ObjectInfo, RangeReader

_SMALL = 128 << 10
_LARGE = 4 << 20
_KEPT = 8


class RangedFile(io.RawIOBase):
    """A read-only file over ranged GETs.

    Reading on from where the last read ended fetches larger and larger ranges; jumping starts small again, so an
    index at the end of the object costs little.  At most `_KEPT` ranges stay in memory.
    """

    def __init__(self, store: RangeReader, source: ObjectInfo) -> None:
        self._store = store
        self._source = source
        self._position = 0
        self._ranges: OrderedDict[int, bytes] = OrderedDict()
        self._next_start = -1
        self._next_size = _SMALL
        self._holes: list[tuple[int, int]] = []
        self.fetched = 0
        """Bytes read from storage so far."""

    def leave_out(self, ranges: list[tuple[int, int]]) -> None:
        """From now on read zeros in these byte ranges instead of fetching them."""
        self._holes = ranges

    @property
    def size(self) -> int:
        return self._source.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        stop = self.size if size < 0 else min(self.size, self._position + size)
        if stop <= self._position:
            return b""
        parts = []
        while self._position < stop:
            part = self._at(self._position, stop - self._position)
            self._position += len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _at(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``position``, at least one."""
        for start, body in self._ranges.items():
            if start <= position < start + len(body):
                self._ranges.move_to_end(start)
                return body[position - start : position - start + size]
        for start, stop in self._holes:
            if start <= position < stop:
                return bytes(min(size, stop - position))
        return self._fetch(position, size)[:size]

    def _fetch(self, position: int, size: int) -> bytes:
        grown = min(self._next_size * 2, _LARGE) if position == self._next_start else _SMALL
        start, stop = position, min(self.size, position + max(grown, size))
        later = [other for other in self._ranges if start < other < stop]
        stop = min([stop, *later])
        body = self._store.get_range(self._source, start, stop)
        self.fetched += len(body)
        self._ranges[start] = body
        if len(self._ranges) > _KEPT:
            self._ranges.popitem(last=False)
        self._next_start, self._next_size = stop, grown
        return body
