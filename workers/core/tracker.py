"""Give people the same number from frame to frame.

Per frame: predict where each known track is, match confident poses to tracks, then weaker poses to the tracks
left over, then begin tracks for confident poses nobody claimed.  All state is in the tracker: one per video.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from workers.core.poses import FramePoses
from workers.core.similarity import iou_matrix, oks_matrix

_POINT_CONFIDENCE = 0.1
_VELOCITY_SHARE = 0.5


@dataclass(frozen=True)
class TrackerRules:
    """What counts as the same person."""

    min_score: float = 0.2
    """Poses at or above begin tracks."""
    weak_score: float = 0.1
    """Poses at or above continue tracks."""
    min_similarity: float = 0.2
    """Least mean of OKS and box overlap of a match."""
    lost_track_buffer_s: float = 1.0
    """A track not seen for longer has ended."""


@dataclass
class _Track:
    track_id: int
    keypoints: NDArray[np.float64]
    box: NDArray[np.float64]
    time_s: float
    velocity: NDArray[np.float64]
    """``[2]`` of the box centre, pixels per second."""

    def shift(self, time_s: float) -> NDArray[np.float64]:
        """How far it has moved by ``time_s`` if it kept its velocity."""
        return self.velocity * (time_s - self.time_s)

    def update(self, keypoints: NDArray[np.float64], box: NDArray[np.float64], time_s: float) -> None:
        elapsed = time_s - self.time_s
        if elapsed > 0:
            moved = _centre(box) - _centre(self.box)
            self.velocity = (1 - _VELOCITY_SHARE) * self.velocity + _VELOCITY_SHARE * moved / elapsed
        self.keypoints, self.box, self.time_s = keypoints, box, time_s


class Tracker:
    """Tracks of one video. Deterministic; a frame without people advances it."""

    def __init__(self, rules: TrackerRules) -> None:
        self._rules = rules
        self._tracks: list[_Track] = []
        self._next_id = 1

    @property
    def count(self) -> int:
        """Tracks begun so far."""
        return self._next_id - 1

    def update(self, poses: FramePoses, time_s: float) -> NDArray[np.int32]:
        """Take the people of the next frame.

        Returns:
            ``[people]`` track ids; 0 for a pose too weak to begin a track and claimed by none.
        """
        self._tracks = [t for t in self._tracks if time_s - t.time_s <= self._rules.lost_track_buffer_s]
        ids = np.zeros(len(poses.scores), np.int32)
        free = list(self._tracks)
        strong = poses.scores >= self._rules.min_score
        weak = (poses.scores >= self._rules.weak_score) & ~strong
        for rows in (np.flatnonzero(strong), np.flatnonzero(weak)):
            free = self._match(poses, rows, free, time_s, ids)
        for row in np.flatnonzero(strong & (ids == 0)):
            ids[row] = self._begin(poses, int(row), time_s)
        return ids

    def _match(
        self,
        poses: FramePoses,
        rows: NDArray[np.intp],
        free: list[_Track],
        time_s: float,
        ids: NDArray[np.int32],
    ) -> list[_Track]:
        """Assign the poses of ``rows`` to tracks; the tracks left over."""
        if not len(rows) or not free:
            return free
        similarity = _similarity(free, poses.pick(rows), time_s)
        claimed = set()
        for t, p in zip(*linear_sum_assignment(-similarity), strict=True):
            if similarity[t, p] < self._rules.min_similarity:
                continue
            row = rows[p]
            free[t].update(poses.keypoints[row].astype(np.float64), poses.boxes[row].astype(np.float64), time_s)
            ids[row] = free[t].track_id
            claimed.add(int(t))
        return [track for t, track in enumerate(free) if t not in claimed]

    def _begin(self, poses: FramePoses, row: int, time_s: float) -> int:
        keypoints, box = poses.keypoints[row].astype(np.float64), poses.boxes[row].astype(np.float64)
        self._tracks.append(_Track(self._next_id, keypoints, box, time_s, np.zeros(2)))
        self._next_id += 1
        return self._next_id - 1


def _similarity(tracks: list[_Track], poses: FramePoses, time_s: float) -> NDArray[np.float64]:
    """``[tracks, poses]`` mean of OKS and box overlap with the predicted tracks."""
    shifts = np.array([track.shift(time_s) for track in tracks])
    known = np.array([track.keypoints for track in tracks])
    boxes = np.array([track.box for track in tracks])
    boxes[:, :2] += shifts
    points = known[..., :2] + shifts[:, None]
    seen = poses.keypoints.astype(np.float64)
    confident = (known[:, None, :, 2] >= _POINT_CONFIDENCE) & (seen[None, :, :, 2] >= _POINT_CONFIDENCE)
    areas = boxes[:, 2] * boxes[:, 3]
    oks = oks_matrix(points, seen[..., :2], areas, confident)
    return (oks + iou_matrix(boxes, poses.boxes.astype(np.float64))) / 2


def _centre(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(box[:2] + box[2:] / 2)
