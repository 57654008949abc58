"""Where people have been in the seconds before a frame: trails and a heat map."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS

TRAIL_S = 3.0
HEAT_S = 10.0
_SURE = 0.2
_CELLS = 96
_LONGEST_FRAME_S = 0.5
_HIPS = [KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]


@dataclass(frozen=True)
class DrawnPerson:
    """One person to draw, in pixels of the canvas."""

    track_id: int | None
    """Written beside the person; none writes nothing."""
    keypoints: NDArray[np.float32]
    """``[17, 3]`` x, y, confidence."""
    box: NDArray[np.float32]
    """``[4]`` x, y, width, height."""

    @property
    def middle(self) -> NDArray[np.float32]:
        """``[2]`` of the hips, else of the box."""
        hips = self.keypoints[_HIPS]
        if (np.nan_to_num(hips[:, 2]) >= _SURE).all():
            return np.asarray(hips[:, :2].mean(0), np.float32)
        return np.asarray(self.box[:2] + self.box[2:] / 2, np.float32)


class Trail(NamedTuple):
    """The way of one person."""

    track_id: int
    points: NDArray[np.float32]
    """``[n, 2]`` of the middle of the body, the latest last."""
    ages: NDArray[np.float64]
    """``[n]`` seconds."""


class History:
    """Takes frames in order and knows the last seconds of them. Coordinates are pixels of the picture as displayed."""

    def __init__(self, width: int, height: int, frame_s: float) -> None:
        self._frame_s = min(frame_s, _LONGEST_FRAME_S)
        self._cell = max(1.0, max(width, height) / _CELLS)
        self._heat = np.zeros((int(height / self._cell) + 1, int(width / self._cell) + 1), np.float32)
        self._frames: deque[tuple[float, dict[int, NDArray[np.float32]], NDArray[np.intp]]] = deque()

    def add(self, time_s: float, people: list[DrawnPerson]) -> None:
        """The people of the next frame."""
        places = {one.track_id: one.middle for one in people if one.track_id is not None}
        cells = self._cells(people)
        np.add.at(self._heat.ravel(), cells, self._frame_s)
        self._frames.append((time_s, places, cells))
        while self._frames[0][0] < time_s - HEAT_S:
            _, _, gone = self._frames.popleft()
            np.add.at(self._heat.ravel(), gone, -self._frame_s)

    def _cells(self, people: list[DrawnPerson]) -> NDArray[np.intp]:
        """Cells of all sure keypoints."""
        if not people:
            return np.zeros(0, np.intp)
        points = np.concatenate([one.keypoints[np.nan_to_num(one.keypoints[:, 2]) >= _SURE, :2] for one in people])
        column, row = (points[np.isfinite(points).all(1)] / self._cell).astype(np.intp).T
        inside = (row >= 0) & (row < self._heat.shape[0]) & (column >= 0) & (column < self._heat.shape[1])
        return np.asarray(row[inside] * self._heat.shape[1] + column[inside])

    def trails(self) -> list[Trail]:
        """The ways of those who are in the latest frame or were within the last seconds."""
        if not self._frames:
            return []
        now = self._frames[-1][0]
        found: dict[int, list[tuple[float, NDArray[np.float32]]]] = {}
        for time_s, places, _ in self._frames:
            if now - time_s <= TRAIL_S:
                for track_id, place in places.items():
                    found.setdefault(track_id, []).append((now - time_s, place))
        return [
            Trail(track_id, np.array([place for _, place in way], np.float32), np.array([age for age, _ in way]))
            for track_id, way in found.items()
        ]

    def heat(self) -> NDArray[np.float32]:
        """Seconds that keypoints were around each cell, ``[rows, columns]``."""
        return np.asarray(cv2.GaussianBlur(np.maximum(self._heat, 0), (0, 0), 1.5), np.float32)
