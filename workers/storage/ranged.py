"""An object in storage as a seekable file, read by ranged GETs of one version of it."""

from collections import OrderedDict

from workers.storage.parts import FileOfParts
from workers.storage.port import ObjectInfo, RangeReader

_SMALL = 128 << 10
LARGE = 4 << 20
_KEPT = 8


def grown(size: int) -> int:
    """Bytes of the range after one of ``size``, where reading goes on."""
    return min(2 * size, LARGE)


class RangedFile(FileOfParts):
    """A read-only file over ranged GETs.

    Reading on from where the last read ended fetches larger and larger ranges; jumping starts small again, so an
    index at the end of the object costs little.  At most `_KEPT` ranges stay in memory.
    """

    def __init__(self, store: RangeReader, source: ObjectInfo) -> None:
        super().__init__(source.size)
        self._store = store
        self._source = source
        self._ranges: OrderedDict[int, bytes] = OrderedDict()
        self._next_start = -1
        self._next_size = _SMALL
        self._stop = source.size
        self.fetched = 0
        """Bytes read from storage so far."""

    def part(self, start: int, stop: int) -> None:
        """From now on fetch the bytes ``start..stop`` with few requests, and nothing beyond them ahead of need."""
        self._position, self._stop = start, stop
        self._next_start, self._next_size = start, LARGE

    def begin(self) -> None:
        """Fetch the first bytes, as many as one request gives: the whole is going to be read."""
        self.peek(0, min(self.size, LARGE))
        self._next_start, self._next_size = min(self.size, LARGE), LARGE

    def forget(self) -> None:
        """Keep nothing in memory any more."""
        self._ranges.clear()

    def peek(self, start: int, size: int, ahead: int = 0) -> bytes:
        """Exactly the bytes at ``start``, from memory where they are there, else fetched with ``ahead`` more."""
        for first, body in self._ranges.items():
            if first <= start and start + size <= first + len(body):
                return body[start - first : start - first + size]
        body = self.fetch(start, min(self.size, start + size + ahead))
        self._keep(start, body)
        return body[:size]

    def at(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes at ``position``, at least one."""
        for start, body in self._ranges.items():
            if start <= position < start + len(body):
                self._ranges.move_to_end(start)
                return body[position - start : position - start + size]
        return self._fetch(position, size)[:size]

    def _fetch(self, position: int, size: int) -> bytes:
        size_on = grown(self._next_size) if position == self._next_start else _SMALL
        end = self._stop if position < self._stop else self.size
        start, stop = position, min(self.size, max(min(end, position + size_on), position + size))
        later = [other for other in self._ranges if start < other < stop]
        stop = min([stop, *later])
        body = self.fetch(start, stop)
        self._keep(start, body)
        self._next_start, self._next_size = stop, size_on
        return body

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes ``start..stop`` from storage; they are not kept."""
        body = self._store.get_range(self._source, start, stop)
        self.fetched += len(body)
        return body

    def _keep(self, start: int, body: bytes) -> None:
        if len(body) > 2 * LARGE:
            return
        self._ranges[start] = body
        if len(self._ranges) > _KEPT:
            self._ranges.popitem(last=False)
