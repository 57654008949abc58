"""Give frame ranges their times, the key frame to begin at, and the bytes that hold them."""

from bisect import bisect_right
from itertools import groupby

import numpy as np

from schema.plan import FrameRange, WindowReference
from workers.media.index import FrameTable, VideoIndex, damage_named


class _Headers:
    """The headers of windows, one after the other; equal neighbours once."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._size = 0

    def place(self, header: bytes) -> tuple[int, int]:
        """Where ``header`` stands."""
        if not self._bodies or self._bodies[-1] != header:
            self._bodies.append(header)
            self._size += len(header)
        return self._size - len(header), self._size

    def joined(self) -> bytes:
        return b"".join(self._bodies)


def frame_ranges(index: VideoIndex, cuts: list[tuple[int, int]]) -> tuple[list[FrameRange], bytes]:
    """The ranges ``cuts``, and the headers of their windows, one after the other.

    Args:
        index: of the video.
        cuts: half-open frame ranges that cover all frames; none goes across a jump in time.

    Raises:
        VideoError: what the index says does not make a file.
    """
    if index.table.sequential:
        return [FrameRange(start=0, stop=index.stream.frames, first_pts=0, end_pts=None, seek_dts=None)], b""
    with damage_named():
        return _ranges(index, cuts)


def _ranges(index: VideoIndex, cuts: list[tuple[int, int]]) -> tuple[list[FrameRange], bytes]:
    table, headers = index.table, _Headers()
    ranges = list[FrameRange]()
    for key, group in groupby(cuts, key=lambda cut: _key_of(table, cut[0])):
        together = list(group)
        windows = _windows(index, key, together, headers)
        for (start, stop), window in zip(together, windows, strict=True):
            ranges.append(
                FrameRange(
                    start=start,
                    stop=stop,
                    first_pts=int(table.pts[start]),
                    end_pts=int(table.pts[stop]) if stop < len(table.pts) else None,
                    seek_dts=int(table.packets.dts[table.keys[key]]) if key > 0 else None,
                    window=window,
                )
            )
    return ranges, headers.joined()


def _key_of(table: FrameTable, frame: int) -> int:
    """Number of the key frame to begin at; -1 where there is none before."""
    return int(np.searchsorted(table.key_pts, table.pts[frame], side="right")) - 1


def _windows(
    index: VideoIndex, key: int, cuts: list[tuple[int, int]], headers: _Headers
) -> list[WindowReference] | list[None]:
    """The bytes of ranges that hang on the same key frame: one header serves them all."""
    table, windows = index.table, index.windows
    if windows is None:
        return [None] * len(cuts)
    lasts = [int(table.order[start:stop].max()) for start, stop in cuts]
    first = min(int(table.keys[key]) if key >= 0 else 0, *lasts)
    made = windows.of(table.packets, first, max(lasts) + 1)
    header = headers.place(made.header)
    jump = bisect_right(table.shifts, first, key=lambda each: each[0]) - 1
    shift = made.shift + table.shifts[jump][1]
    ends = (windows.end(table.packets, first, last + 1) for last in lasts)
    return [WindowReference(header=header, start=made.start, stop=end, shift=shift) for end in ends]
