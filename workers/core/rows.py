"""Rows of a track table as arrays: one row per frame and track."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrackRows:
    """Rows in order of frame, then track; pixels of the picture as displayed."""

    frames: NDArray[np.int64]
    """``[rows]`` index of the displayed frame, from 0."""
    times: NDArray[np.float64]
    """``[rows]`` presentation time, seconds."""
    tracks: NDArray[np.int32]
    """``[rows]`` track ids, from 1."""
    scores: NDArray[np.float32]
    """``[rows]`` score of the person."""
    boxes: NDArray[np.float32]
    """``[rows, 4]`` x, y, width, height."""
    keypoints: NDArray[np.float32]
    """``[rows, 17, 3]`` x, y, confidence; NaN where there is no estimate."""
    interpolated: NDArray[np.bool_]
    """``[rows]`` whether nobody was found in this frame, and the row is in between two that were."""

    def __post_init__(self) -> None:
        count = len(self.frames)
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = {"boxes": (count, 4), "keypoints": (count, 17, 3)}.get(field.name, (count,))
            if value.shape != wanted:
                raise ValueError(f"{field.name} is {value.shape}, expected {wanted}")

    def __len__(self) -> int:
        return len(self.frames)

    def pick(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "TrackRows":
        """Some of the rows."""
        return TrackRows(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def none(cls) -> "TrackRows":
        """No rows."""
        return cls(
            np.zeros(0, np.int64),
            np.zeros(0, np.float64),
            np.zeros(0, np.int32),
            np.zeros(0, np.float32),
            np.zeros((0, 4), np.float32),
            np.zeros((0, 17, 3), np.float32),
            np.zeros(0, np.bool_),
        )

    @classmethod
    def joined(cls, parts: list["TrackRows"]) -> "TrackRows":
        """Rows of ``parts``, one after the other."""
        every = [cls.none(), *parts]
        return cls(*(np.concatenate([getattr(part, field.name) for part in every]) for field in fields(cls)))

    def split(self, by: NDArray[np.int64] | NDArray[np.int32]) -> Iterator["TrackRows"]:
        """The runs of rows with the same value of ``by`` ``[rows]``."""
        edges = [*np.flatnonzero(np.diff(by, prepend=-1)).tolist(), len(self)]
        for start, stop in pairwise(edges):
            yield self.pick(slice(start, stop))

    def ordered(self) -> "TrackRows":
        """The same rows by frame, then track."""
        return self.pick(np.lexsort((self.tracks, self.frames)))
