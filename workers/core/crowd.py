"""The people that a tracker follows at the moment, as arrays: a row each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.core.association import Floats, Predicted, covering, moved
from workers.core.jit import njit
from workers.core.pieces import Piece
from workers.core.poses import FramePoses


@dataclass(frozen=True)
class Seen:
    """The people of a frame. Places are pixels of the first picture of the shot: the camera's motion is taken off."""

    keypoints: Floats
    """``[people, 17, 3]`` x, y, confidence."""
    boxes: Floats
    """``[people, 4]`` x, y, width, height."""
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, poses: FramePoses, origin: Floats) -> "Seen":
        """``poses`` in a picture that the camera has moved by ``origin``; what has no estimate counts as unseen."""
        keypoints = poses.keypoints.astype(np.float64)
        keypoints[~np.isfinite(keypoints).all(-1)] = 0.0
        return cls(keypoints, poses.boxes.astype(np.float64), poses.scores).shifted(-origin)

    def pick(self, rows: NDArray[np.bool_]) -> "Seen":
        """The people of ``rows``."""
        return Seen(self.keypoints[rows], self.boxes[rows], self.scores[rows])

    def shifted(self, shift: Floats) -> "Seen":
        """The same people, moved by ``shift`` ``[2]``."""
        x, y = shift
        return Seen(self.keypoints + np.array([x, y, 0.0]), self.boxes + np.array([x, y, 0.0, 0.0]), self.scores)

    def places(self) -> list[tuple[float, float, float]]:
        """Of each person x and y of the middle of the torso, or of the box, and the size."""
        return [tuple(row) for row in _places(self.keypoints, self.boxes).tolist()]


class Crowd:
    """Everybody who is followed. Rows keep their order; new people come last."""

    def __init__(self, velocity_s: float, coast_s: float) -> None:
        """Nobody yet.

        Args:
            velocity_s: time over which velocity is averaged.
            coast_s: time after which an unseen person's velocity has faded.
        """
        self._velocity_s, self._coast_s = velocity_s, coast_s
        self.pieces: list[Piece] = []
        self.keypoints, self.boxes = np.zeros((0, 17, 3)), np.zeros((0, 4))
        self.times, self.hits = np.zeros(0), np.zeros(0, np.int64)
        self.velocities = np.zeros((0, 2))
        """Pixels per second."""

    def __len__(self) -> int:
        return len(self.pieces)

    def join(self, piece: Piece, keypoints: Floats, box: Floats, time_s: float) -> None:
        """Follow somebody new."""
        self.pieces.append(piece)
        self.keypoints = np.concatenate([self.keypoints, keypoints[None]])
        self.boxes = np.concatenate([self.boxes, box[None]])
        self.times, self.hits = np.append(self.times, time_s), np.append(self.hits, 1)
        self.velocities = np.concatenate([self.velocities, np.zeros((1, 2))])

    def leave(self, gone: NDArray[np.bool_]) -> None:
        """Follow those of ``gone`` no longer."""
        if not gone.any():
            return
        stay = ~gone
        for piece, over in zip(self.pieces, gone, strict=True):
            if over:
                piece.end()
        self.pieces = [piece for piece, kept in zip(self.pieces, stay, strict=True) if kept]
        self.keypoints, self.boxes, self.velocities = self.keypoints[stay], self.boxes[stay], self.velocities[stay]
        self.times, self.hits = self.times[stay], self.hits[stay]

    def advance(self, row: int, seen: Seen, person: int, time_s: float) -> None:
        """Go on with what ``person`` of the frame shows."""
        _advance(
            row,
            person,
            time_s,
            self.keypoints,
            self.boxes,
            self.times,
            self.hits,
            self.velocities,
            seen.keypoints,
            seen.boxes,
            self._velocity_s,
        )

    def ahead(self, time_s: float) -> Floats:
        """How far each has moved by ``time_s`` since last seen, velocity fading: ``[n, 2]``."""
        unseen = (time_s - self.times)[:, None]
        return np.asarray(self.velocities * self._coast_s * (1 - np.exp(-unseen / self._coast_s)))

    def predicted(self, time_s: float, buffer_s: float) -> Predicted:
        """Where everybody should be."""
        steps = self.ahead(time_s)
        keypoints, boxes = self.keypoints.copy(), self.boxes.copy()
        keypoints[..., :2] += steps[:, None]
        boxes[:, :2] += steps
        return Predicted(keypoints, boxes, np.minimum((time_s - self.times) / buffer_s, 1.0))

    def step(self, row: int, seen: Seen, person: int) -> Floats:
        """How far somebody went to be ``person``, ``[2]``."""
        return np.asarray(moved(self.keypoints[row], seen.keypoints[person], self.boxes[row], seen.boxes[person]))

    def covering(self) -> Floats:
        """Largest share that anybody's box shares with another's, of the smaller one."""
        return np.asarray(covering(self.boxes))


@njit(cache=True, nogil=True)
def _advance(row, person, time_s, keypoints, boxes, times, hits, velocities, seen, seen_boxes, velocity_s):  # type: ignore[no-untyped-def]
    elapsed = time_s - times[row]
    step = moved(keypoints[row], seen[person], boxes[row], seen_boxes[person]) / elapsed
    share = max(1 - np.exp(-elapsed / velocity_s), 1 / (hits[row] + 1))
    velocities[row] += share * (step - velocities[row])
    keypoints[row], boxes[row] = seen[person], seen_boxes[person]
    times[row] = time_s
    hits[row] += 1


@njit(cache=True, nogil=True)
def _places(keypoints, boxes):  # type: ignore[no-untyped-def]
    places = np.empty((len(boxes), 3))
    for i in range(len(boxes)):
        x, y, width, height = boxes[i]
        places[i, 0], places[i, 1] = x + width / 2, y + height / 2
        places[i, 2] = np.sqrt(max(width * height, 1.0))
        torso = keypoints[i, 5:13]
        if min(torso[0, 2], torso[1, 2], torso[6, 2], torso[7, 2]) >= 0.2:
            places[i, 0] = (torso[0, 0] + torso[1, 0] + torso[6, 0] + torso[7, 0]) / 4
            places[i, 1] = (torso[0, 1] + torso[1, 1] + torso[6, 1] + torso[7, 1]) / 4
    return places
