"""Write the index of an MP4 anew for some of its samples, so that they can be read without the rest of it."""

import struct

import numpy as np
from numpy.typing import NDArray

from workers.media.boxes import box
from workers.media.packets import Ints, Narrow, Packets
from workers.media.samples import Track

_FTYP = box(b"ftyp", b"isom", bytes(4), b"isom")
_PAYLOAD_HEAD = 16
HIDDEN = 1 << 27
"""Ticks by which packets that an edit list hides come before all others."""


def movie(mvhd: memoryview, tracks: list[tuple[Track, Packets, Narrow]], start: int, stop: int) -> bytes:
    """What stands before the bytes ``start..stop`` of a file to make a movie of the ``tracks``.

    Decode times begin at 0 in each track, and nothing is edited.

    Args:
        mvhd: the movie's header.
        tracks: each with the samples wanted of it, and the number of each one's description.
        start: first byte of the file that follows.
        stop: end of them.
    """
    shift = len(_moov(mvhd, tracks, 0)) + len(_FTYP) + _PAYLOAD_HEAD - start
    payload = struct.pack(">I4sQ", 1, b"mdat", _PAYLOAD_HEAD + stop - start)
    return _FTYP + _moov(mvhd, tracks, shift) + payload


def _moov(mvhd: memoryview, tracks: list[tuple[Track, Packets, Narrow]], shift: int) -> bytes:
    traks = [_trak(track, packets, descriptions, shift) for track, packets, descriptions in tracks]
    return box(b"moov", box(b"mvhd", mvhd), *traks)


def _trak(track: Track, packets: Packets, descriptions: Narrow, shift: int) -> bytes:
    minf = box(b"minf", *(box(*each) for each in track.info), _stbl(track, packets, descriptions, shift))
    return box(b"trak", box(b"tkhd", track.tkhd), box(b"mdia", *(box(*each) for each in track.media), minf))


def _stbl(track: Track, packets: Packets, descriptions: Narrow, shift: int) -> bytes:
    count = len(packets)
    first = _new_chunks(packets, descriptions)
    lengths = np.diff(np.append(first, count))
    chunks = (
        np.stack([np.arange(1, len(first) + 1), lengths, descriptions[first]], -1)
        if count
        else np.zeros((0, 3), np.int64)
    )
    times = np.append(np.diff(packets.dts), packets.durations[-1:])
    sizes = struct.pack(">II", 0, count) + packets.sizes.astype(">u4").tobytes()
    return box(
        b"stbl",
        box(b"stsd", track.tables[b"stsd"]),
        _table(b"stts", _runs(times)),
        _table(b"ctts", _runs(packets.pts - packets.dts - np.where(packets.shown, 0, HIDDEN)), version=1),
        _table(b"stss", np.flatnonzero(packets.key)[:, None] + 1),
        box(b"stsz", bytes(4), sizes),
        _table(b"stsc", chunks),
        _table(b"co64", (packets.positions[first] + shift)[:, None], item=">u8"),
    )


def _new_chunks(packets: Packets, descriptions: Narrow) -> NDArray[np.intp]:
    """Samples that do not follow the one before them in the file."""
    ends = packets.positions + packets.sizes
    apart = (packets.positions[1:] != ends[:-1]) | (descriptions[1:] != descriptions[:-1])
    return np.flatnonzero(np.concatenate([[True], apart])) if len(packets) else np.zeros(0, np.intp)


def _runs(values: Ints) -> Ints:
    """Values as runs of equal ones: ``[runs, 2]`` length and value."""
    if not len(values):
        return np.zeros((0, 2), np.int64)
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return np.stack([np.diff(np.append(first, len(values))), values[first]], -1)


def _table(kind: bytes, rows: Ints, *, version: int = 0, item: str = ">u4") -> bytes:
    body = (rows & 0xFFFFFFFF if item == ">u4" else rows).astype(item).tobytes()
    return box(kind, struct.pack(">B3xI", version, len(rows)), body)
