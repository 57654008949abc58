"""Parts of a video file that can be read on their own: a few bytes of header, then the bytes of some packets.

Opening a file costs its whole index, and seeking in it more; a window costs what it holds.
"""

from typing import NamedTuple, Protocol

import numpy as np

from workers.media.boxes import Skeleton, boxes
from workers.media.movie import movie
from workers.media.packets import Ints, Narrow, Packets
from workers.media.samples import Track
from workers.storage.parts import FileOfParts
from workers.storage.ranged import RangedFile

_PROBED = 256 << 10
_LONGEST_HEADER = 4 << 20
_STRIDES = {188: 0, 192: 4, 204: 0}
_SYNC = 0x47


class Window(NamedTuple):
    """What has to stand before the bytes of a file from ``start`` on, and what to add to time stamps found there."""

    header: bytes
    start: int
    shift: int


class Windows(Protocol):
    """Makes windows of one file."""

    def of(self, packets: Packets, first: int, stop: int) -> Window:
        """The window of the packets ``first..stop``, of which the first is a key frame."""
        ...

    def end(self, packets: Packets, first: int, stop: int) -> int:
        """Where the bytes of the packets ``first..stop`` end."""
        ...


class MovieWindows:
    """Of an MP4 or MOV file: each window gets an index of its own."""

    def __init__(self, skeleton: Skeleton, track: Track, descriptions: Narrow) -> None:
        self._mvhd, self._track, self._descriptions = _mvhd(skeleton), track, descriptions

    def of(self, packets: Packets, first: int, stop: int) -> Window:
        """See `Windows.of`."""
        some = packets.part(first, stop)
        start, end = int(some.positions.min()), self.end(packets, first, stop)
        header = movie(self._mvhd, [(self._track, some, self._descriptions[first:stop])], start, end)
        return Window(header, start, int(some.dts[0]))

    def end(self, packets: Packets, first: int, stop: int) -> int:
        """See `Windows.end`."""
        return int((packets.positions[first:stop] + packets.sizes[first:stop]).max())


class StreamWindows:
    """Of a container whose packets stand one after the other, each with its time stamp."""

    def __init__(self, header: bytes, size: int, starts: Ints | None = None) -> None:
        self._header, self._size, self._starts = header, size, starts

    def of(self, packets: Packets, first: int, stop: int) -> Window:
        """See `Windows.of`."""
        start = int(packets.positions[first])
        if self._starts is not None:
            at = int(np.searchsorted(self._starts, start, side="right")) - 1
            start = int(self._starts[at]) if at >= 0 else len(self._header)
        return Window(self._header, start, 0)

    def end(self, packets: Packets, first: int, stop: int) -> int:
        """See `Windows.end`."""
        return int(packets.positions[stop]) if stop < len(packets) else self._size


def slim(skeleton: Skeleton, tracks: list[tuple[Track, Packets, Narrow]], most: int) -> bytes:
    """What makes a file of its first samples, ``most`` of each track, when the whole file follows."""
    some = [(track, packets.part(0, most), descriptions[:most]) for track, packets, descriptions in tracks]
    return movie(_mvhd(skeleton), some, 0, skeleton.size)


def _mvhd(skeleton: Skeleton) -> memoryview:
    moov = skeleton.first(b"moov")
    return dict(boxes(moov))[b"mvhd"] if moov is not None else memoryview(b"")


def transport_header(file: RangedFile) -> bytes:
    """The first program tables of an MPEG transport stream; empty where they are not found."""
    head = file.peek(0, min(_PROBED, file.size))
    stride = next((each for each, at in _STRIDES.items() if _in_step(head, each, at)), 0)
    if not stride:
        return b""
    offset, wanted, found = _STRIDES[stride], {0}, list[bytes]()
    for at in range(0, len(head) - stride + 1, stride):
        packet = head[at + offset : at + offset + 188]
        number = (packet[1] & 0x1F) << 8 | packet[2]
        if number not in wanted:
            continue
        found.append(head[at : at + stride])
        if number != 0:
            return b"".join(found)
        wanted |= _programs(packet)
    return b""


def _in_step(head: bytes, stride: int, at: int) -> bool:
    return len(head) >= 4 * stride and all(head[at + number * stride] == _SYNC for number in range(4))


def _programs(packet: bytes) -> set[int]:
    """Where the program association table in ``packet`` says that the program maps are."""
    start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    table = packet[start + 1 + packet[start] :] if packet[1] & 0x40 else b""
    if len(table) < 12 or table[0] != 0:
        return set()
    length = (table[1] & 0x0F) << 8 | table[2]
    rows = table[8 : 3 + length - 4]
    return {(rows[at + 2] & 0x1F) << 8 | rows[at + 3] for at in range(0, len(rows) - 3, 4) if rows[at] or rows[at + 1]}


def clusters(file: RangedFile, positions: Ints) -> tuple[bytes, Ints]:
    """Everything before the first cluster of a Matroska file, and where clusters with key frames begin."""
    if not len(positions) or not 0 < int(positions.min()) <= _LONGEST_HEADER:
        return b"", positions
    return file.peek(0, int(positions.min())), np.unique(positions)


class WindowFile(FileOfParts):
    """A header and some bytes of an object as one file."""

    def __init__(self, header: bytes, file: RangedFile, start: int, stop: int, *, seekable: bool = True) -> None:
        super().__init__(len(header) + stop - start, seekable=seekable)
        self._header, self._file, self._start = header, file, start
        file.part(start, stop)

    def at(self, position: int, size: int) -> bytes:
        """See `FileOfParts.at`."""
        if position < len(self._header):
            return self._header[position : position + size]
        self._file.seek(self._start + position - len(self._header))
        return self._file.read(size)
