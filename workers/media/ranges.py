"""Give frame ranges their times, the key frame to begin at, and the bytes that hold them."""

from bisect import bisect_right

import numpy as np

from schema.plan import FrameRange, WindowReference
from workers.media.index import FrameTable, VideoIndex
from workers.media.windows import Windows


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
    """
    table, headers = index.table, _Headers()
    if table.sequential:
        return [FrameRange(start=0, stop=index.stream.frames, first_pts=0, end_pts=None, seek_dts=None)], b""
    jumps = [first for first, _ in table.shifts]
    ranges = []
    for start, stop in cuts:
        number = int(np.searchsorted(table.key_pts, table.pts[start], side="right")) - 1
        key = int(table.keys[number]) if number >= 0 else 0
        window = _window(
            index.windows, table, key, (start, stop), table.shifts[bisect_right(jumps, key) - 1][1], headers
        )
        ranges.append(
            FrameRange(
                start=start,
                stop=stop,
                first_pts=int(table.pts[start]),
                end_pts=int(table.pts[stop]) if stop < len(table.pts) else None,
                seek_dts=int(table.packets.dts[key]) if number > 0 else None,
                window=window,
            )
        )
    return ranges, headers.joined()


def _window(
    windows: Windows | None, table: FrameTable, key: int, frames: tuple[int, int], shift: int, headers: _Headers
) -> WindowReference | None:
    """The bytes that hold the packets from ``key`` on up to the last of ``frames``."""
    if windows is None:
        return None
    last = int(table.order[frames[0] : frames[1]].max())
    made = windows.of(table.packets, min(key, last), last + 1)
    head = headers.place(made.header)
    return WindowReference(header=head, start=made.start, stop=made.stop, shift=made.shift + shift)
