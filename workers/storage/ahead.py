"""Read ahead: the bytes that come next are on their way while those before are used."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from schema.errors import TransientError
from workers.storage.ranged import RangedFile, grown


class ReadAhead:
    """What a `RangedFile` at the other end of a wire asks for, one range fetched beforehand.

    Such a file asks for ranges that grow in a known way while it reads on, and so the next one is known.  Whoever
    jumps gets what was asked for and nothing ahead.
    """

    def __init__(self, file: RangedFile, start: int, stop: int) -> None:
        """Bytes ``start..stop`` are going to be read from front to back, and nothing beyond is worth fetching."""
        self.size = file.size
        self._file, self._reached, self._stop = file, start, stop
        self._threads = ThreadPoolExecutor(2, "reads-ahead")  # one may be at bytes that nobody wants any more
        self._coming: tuple[int, int, Future[bytes]] | None = None

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes ``start..stop``; raises what reading them raises."""
        coming, self._coming = self._coming, None
        self._expect(start, stop)
        if coming and coming[0] == start and stop <= coming[1]:
            with suppress(TransientError):  # that may be over: now it counts
                return coming[2].result()[: stop - start]
        elif coming:
            coming[2].cancel()
        return self._file.fetch(start, stop)

    def _expect(self, start: int, stop: int) -> None:
        """Begin to fetch what follows these bytes, if they follow those before."""
        further, self._reached = start == self._reached, stop
        last = min(stop + grown(stop - start), self._stop)
        if further and stop < last:
            self._coming = stop, last, self._threads.submit(self._file.fetch, stop, last)

    def close(self) -> None:
        """Fetch nothing more; what is on its way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
