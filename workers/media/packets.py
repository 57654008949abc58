"""The packets of a video stream as arrays: tens of bytes per frame, so that hours of video fit."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from workers.media.limits import LIMITS, Limits

NO_TIME = -(1 << 62)
"""Stands for a time stamp that is missing."""
_LONGEST = (1 << 31) - 1

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Packets:
    """Packets in the order in which they are stored and decoded: arrays ``[packets]``."""

    pts: Ints
    """Presentation time stamps in ticks of the stream's time base."""
    dts: Ints
    durations: Narrow
    positions: Ints
    """First byte in the file, -1 where it is not known."""
    sizes: Narrow
    """Bytes."""
    key: Flags
    shown: Flags
    """False for packets that are decoded but hidden by an edit list."""

    def __len__(self) -> int:
        return len(self.pts)

    def pick(self, chosen: Flags) -> "Packets":
        """Some of the packets."""
        return Packets(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def part(self, start: int, stop: int) -> "Packets":
        """The packets ``start..stop``."""
        columns = (getattr(self, each.name)[start:stop] for each in fields(self))
        return Packets(*columns)

    @classmethod
    def demuxed(cls, packets: Iterable[Any], limits: Limits = LIMITS) -> Self:
        """Of a demuxer's packets; raises `TooLarge`."""
        numbers, flags = array("q"), array("b")
        for packet in packets:
            if packet.size:
                if len(flags) > 2 * limits.frames:
                    limits.check_frames(len(flags) // 2)
                pts, dts = packet.pts, packet.dts
                numbers.append(NO_TIME if pts is None else pts)
                numbers.append(NO_TIME if dts is None else dts)
                numbers.append(packet.duration or 0)
                numbers.append(-1 if packet.pos is None else packet.pos)
                numbers.append(packet.size)
                flags.append(packet.is_keyframe)
                flags.append(not packet.is_discard)
        table = np.frombuffer(numbers, np.int64).reshape(-1, 5) if numbers else np.zeros((0, 5), np.int64)
        seen = np.array(flags, np.bool_).reshape(-1, 2)
        pts, dts, durations, positions, sizes = table.T
        narrow = np.clip(durations, 0, _LONGEST).astype(np.int32), sizes.astype(np.int32)
        return cls(pts.copy(), dts.copy(), narrow[0], positions.copy(), narrow[1], seen[:, 0], seen[:, 1])
