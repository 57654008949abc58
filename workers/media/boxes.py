"""Boxes of MP4 and MOV files (ISO/IEC 14496-12): everything but the payload, read with small ranged GETs."""

import bisect
import struct
from collections.abc import Iterator
from typing import NamedTuple

from schema.errors import VideoError
from workers.storage.parts import FileOfParts
from workers.storage.ranged import RangedFile

_PAYLOAD = frozenset({b"mdat", b"free", b"skip", b"wide"})
_FIRST = _PAYLOAD | {b"ftyp", b"moov", b"pnot", b"styp", b"uuid"}
_LEAST = 512
_INDEX = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"mfra"})
_MOST_INDEX, _MOST_OF_OTHERS, _OVERHEAD = 256 << 20, 1 << 20, 256
"""Bytes that are kept: altogether, of a box that is no index, and what each box counts for beside."""
_FILLED = 4 << 20


class Box(NamedTuple):
    """One box: its four letters, and what stands in it."""

    kind: bytes
    body: memoryview


def boxes(body: memoryview) -> Iterator[Box]:
    """The boxes in ``body``, one after the other; stops at damage."""
    at = 0
    while at + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        head = 8
        if size == 1 and at + 16 <= len(body):
            size, head = struct.unpack_from(">Q", body, at + 8)[0], 16
        size = size or len(body) - at
        if size < head or at + size > len(body):
            return
        yield Box(bytes(kind), body[at + head : at + size])
        at += size


def box(kind: bytes, *parts: bytes | memoryview) -> bytes:
    """A box of ``kind`` with ``parts`` in it."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


class Skeleton(FileOfParts):
    """An MP4 or MOV file without its payload: zeros stand in for it, the rest is in memory."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.payload: list[tuple[int, int]] = []
        """Byte ranges of the payload."""
        self.filling: FileOfParts | None = None
        """Where the first payload is read from when it is wanted after all."""
        self._starts: list[int] = []
        self._bodies: list[bytes] = []

    def add(self, start: int, body: bytes) -> None:
        """Put ``body`` at ``start``, beyond everything so far."""
        self._starts.append(start)
        self._bodies.append(body)

    @property
    def fragmented(self) -> bool:
        """Whether samples are listed in fragments."""
        return any(body[4:8] == b"moof" for body in self._bodies)

    def first(self, kind: bytes) -> memoryview | None:
        """What stands in the first box of ``kind`` at the top."""
        for body in self._bodies:
            if body[4:8] == kind and (found := next(boxes(memoryview(body)), None)) is not None:
                return found.body
        return None

    def at(self, position: int, size: int) -> bytes:
        """See `FileOfParts.at`."""
        number = bisect.bisect_right(self._starts, position) - 1
        if number >= 0 and (inside := position - self._starts[number]) < len(self._bodies[number]):
            return self._bodies[number][inside : inside + size]
        following = self._starts[number + 1] if number + 1 < len(self._starts) else self.size
        wanted = min(size, following - position)
        if self.filling is None or not self.payload or position >= self.payload[0][0] + _FILLED:
            return bytes(wanted)
        self.filling.seek(position)
        return self.filling.read(wanted)


def read_skeleton(file: RangedFile) -> Skeleton | None:
    """All boxes at the top of an MP4 or MOV file but the payload; none when it is another kind of file.

    Raises:
        VideoError: its index is larger than that of any video.
    """
    skeleton, at, guess, kept = Skeleton(file.size), 0, _LEAST, 0
    while at + 8 <= file.size:
        head = file.peek(at, min(16, file.size - at), guess)
        size, kind = struct.unpack_from(">I4s", head)
        if at == 0 and kind not in _FIRST:
            return None
        body = 8
        if size == 1 and len(head) >= 16:
            size, body = struct.unpack_from(">Q", head, 8)[0], 16
        size = size or file.size - at
        if size < body:
            break
        stop = min(at + size, file.size)
        payload = kind in _PAYLOAD or (kind not in _INDEX and stop - at > _MOST_OF_OTHERS)
        kept += _OVERHEAD + (0 if payload else stop - at)
        if kept > _MOST_INDEX:
            raise VideoError(f"the file's index has more than {_MOST_INDEX >> 20} MB")
        if payload:
            skeleton.add(at, head[:body])
            skeleton.payload.append((at + body, stop))
        else:
            skeleton.add(at, file.peek(at, stop - at))
            guess = _LEAST + (stop - at if kind == b"moof" else 0)
        at += size
    return skeleton if at else None
