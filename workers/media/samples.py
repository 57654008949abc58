"""The sample table of an MP4 or MOV track: where its samples lie and when they are shown."""

import struct
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from workers.media.boxes import Box, boxes
from workers.media.packets import Ints, Narrow, Packets

_TABLES = frozenset({b"stts", b"ctts", b"stss", b"stsz", b"stco", b"co64", b"stsc"})
#: Tables that change what is shown or read in ways that only a demuxer should follow.
_UNUSUAL = frozenset({b"stps", b"stz2"})


class Unusual(Exception):
    """A table that is better left to a demuxer."""


@dataclass(frozen=True)
class Track:
    """One ``trak`` box in its parts."""

    number: int
    """Track id."""
    tkhd: memoryview
    media: list[Box]
    """Boxes of ``mdia`` but ``minf``: the time scale, the kind of track."""
    info: list[Box]
    """Boxes of ``minf`` but ``stbl``."""
    tables: dict[bytes, memoryview]
    """Boxes of ``stbl``."""
    edits: memoryview | None
    """``elst``."""

    @classmethod
    def of_box(cls, trak: memoryview) -> Self:
        """Raises `Unusual` when a part is missing."""
        parts = dict(boxes(trak))
        try:
            media = list(boxes(parts[b"mdia"]))
            info = list(boxes(dict(media)[b"minf"]))
            tables = dict(boxes(dict(info)[b"stbl"]))
            tkhd = parts[b"tkhd"]
            number = struct.unpack_from(">I", tkhd, 20 if tkhd[0] == 1 else 12)[0]
            edits = dict(boxes(parts[b"edts"])).get(b"elst") if b"edts" in parts else None
        except (KeyError, IndexError, struct.error) as error:
            raise Unusual("a track without its tables") from error
        others = [each for each in media if each.kind != b"minf"]
        return cls(number, tkhd, others, [each for each in info if each.kind != b"stbl"], tables, edits)

    @property
    def encrypted(self) -> bool:
        """Whether its samples are encrypted (``encv``)."""
        return bytes(self.tables.get(b"stsd", memoryview(b""))[12:16]) == b"encv"

    @property
    def kind(self) -> bytes:
        """``vide``, ``soun`` or another kind of track."""
        return bytes(dict(self.media).get(b"hdlr", memoryview(b""))[8:12])

    @property
    def time_scale(self) -> int:
        """Ticks per second."""
        mdhd = dict(self.media)[b"mdhd"]
        return int(struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)[0])

    @property
    def count(self) -> int:
        """How many samples it claims to have."""
        body = self.tables.get(b"stsz", memoryview(b""))
        return int(struct.unpack_from(">I", body, 8)[0]) if len(body) >= 12 else 0

    def samples(self) -> tuple[Packets, Narrow]:
        """All samples on the track's own time line, and for each the number of its description.

        Raises:
            Unusual: the tables contradict each other.
        """
        if _UNUSUAL & set(self.tables) or not {b"stsd", b"stts", b"stsz", b"stsc"} <= set(self.tables):
            raise Unusual("tables that are rare")
        sizes = self._sizes()
        count = len(sizes)
        positions, descriptions = self._places(sizes)
        durations = self._runs(b"stts", count, signed=False)
        offsets = self._runs(b"ctts", count, signed=True) if b"ctts" in self.tables else np.zeros(count, np.int32)
        decoded = np.cumsum(durations, dtype=np.int64) - durations
        pts = decoded + offsets
        decoded -= max(0, -int(offsets.min(initial=0)))
        shown = np.ones(count, np.bool_)
        return Packets(pts, decoded, durations, positions, sizes, self._key(count), shown), descriptions

    def edited(self, packets: Packets, movie_scale: int) -> Packets:
        """``packets`` on the movie's time line.

        Args:
            packets: the track's samples.
            movie_scale: ticks per second of the edit list.

        Raises:
            Unusual: the edit list hides samples.
        """
        edits = self._edits()
        if not edits or not len(packets):
            return packets
        empty = 0
        if edits[0][1] == -1:
            empty = round(edits.pop(0)[0] * self.time_scale / movie_scale)
        duration, start, rate = edits.pop(0) if edits else (0, 0, 1)
        last = int(np.argmax(packets.pts))
        end, length = int(packets.pts[last]), int(packets.durations[last])
        stop = start + round(duration * self.time_scale / movie_scale) if duration else end + length
        if edits or rate != 1 or start < 0 or int(packets.pts.min()) < start or end >= stop + length // 2:
            raise Unusual("the edit list hides samples")
        durations = packets.durations.copy()
        durations[last] = min(length, max(1, stop - end))
        shift = empty - start
        if not shift:
            return replace(packets, durations=durations)
        return replace(packets, pts=packets.pts + shift, dts=packets.dts + shift, durations=durations)

    def _table(self, kind: bytes, columns: int, item: str = ">u4") -> NDArray[np.int64]:
        """The rows of a table that begins with version, flags and their number: int64 ``[rows, columns]``."""
        body = self.tables[kind]
        rows = struct.unpack_from(">I", body, 4)[0]
        if 8 + rows * columns * np.dtype(item).itemsize > len(body):
            raise Unusual(f"{kind!r} is cut off")
        return np.frombuffer(body, item, rows * columns, 8).astype(np.int64).reshape(rows, columns)

    def _runs(self, kind: bytes, count: int, *, signed: bool) -> Narrow:
        """A table of runs, spread out: ``[count]``."""
        table = self._table(kind, 2)
        if int(table[:, 0].sum()) != count:
            raise Unusual(f"{kind!r} is of another number of samples")
        values = table[:, 1].astype(np.uint32).astype(np.int32)
        if not signed and (values < 0).any():
            raise Unusual("negative durations")
        return np.repeat(values, table[:, 0])

    def _sizes(self) -> Narrow:
        one, count = struct.unpack_from(">II", self.tables[b"stsz"], 4)
        if one:
            return np.full(count, min(one, (1 << 31) - 1), np.int32)
        if 12 + 4 * count > len(self.tables[b"stsz"]):
            raise Unusual("sizes are cut off")
        return np.frombuffer(self.tables[b"stsz"], ">u4", count, 12).astype(np.int32)

    def _places(self, sizes: Narrow) -> tuple[Ints, Narrow]:
        """Position and number of the description of each sample."""
        long = b"co64" in self.tables
        chunks = self._table(b"co64" if long else b"stco", 1, ">u8" if long else ">u4")[:, 0]
        runs = self._table(b"stsc", 3)
        if not len(runs) or runs[0, 0] != 1 or (np.diff(runs[:, 0]) <= 0).any():
            raise Unusual("chunks are listed out of order")
        lengths = np.diff(np.append(runs[:, 0], len(chunks) + 1))
        if (lengths < 0).any():
            raise Unusual("there are fewer chunks than listed")
        each = np.repeat(runs[:, 1], lengths)
        if int(each.sum()) != len(sizes):
            raise Unusual("chunks hold another number of samples")
        positions = np.cumsum(sizes, dtype=np.int64) - sizes
        full = each > 0
        firsts = (np.cumsum(each) - each)[full]
        positions += np.repeat(chunks[full] - positions[firsts], each[full])
        return positions, np.repeat(np.repeat(runs[:, 2].astype(np.int32), lengths), each)

    def _key(self, count: int) -> NDArray[np.bool_]:
        if b"stss" not in self.tables:
            return np.ones(count, np.bool_)
        listed = self._table(b"stss", 1)[:, 0]
        if not len(listed) or int(listed.max()) > count or int(listed.min()) < 1:
            raise Unusual("key frames are not among the samples")
        key = np.zeros(count, np.bool_)
        key[listed - 1] = True
        return key

    def _edits(self) -> list[tuple[int, int, int]]:
        """Duration, media time and rate of each edit."""
        if self.edits is None:
            return []
        count = struct.unpack_from(">I", self.edits, 4)[0]
        item = ">qqhh" if self.edits[0] == 1 else ">iihh"
        if 8 + count * struct.calcsize(item) > len(self.edits):
            raise Unusual("the edit list is cut off")
        rows = (struct.unpack_from(item, self.edits, 8 + number * struct.calcsize(item)) for number in range(count))
        return [(duration, start, rate) for duration, start, rate, _ in rows]
