"""Poses of a frame range: what infer writes and stitch reads."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workers.core.camera import SKETCH_VALUES, Sketch
from workers.core.letterbox import Letterbox

POSE_VALUES = 56
"""Values of a pose as the model gives it: 17 x (y, x, confidence), ymin, xmin, ymax, xmax, score."""

NO_SIZES = np.zeros((0, 2), np.int32)
NO_SKETCHES = np.zeros((0, SKETCH_VALUES), np.uint8)


@dataclass(frozen=True)
class FramePoses:
    """People of one frame, best first, in pixels of the displayed picture."""

    keypoints: NDArray[np.float32]
    """``[people, 17, 3]`` x, y, confidence."""
    boxes: NDArray[np.float32]
    """``[people, 4]`` x, y, width, height."""
    scores: NDArray[np.float32]
    """``[people]`` in 0..1."""

    def __post_init__(self) -> None:
        people = len(self.scores)
        if self.keypoints.shape != (people, 17, 3) or self.boxes.shape != (people, 4):
            raise ValueError(f"keypoints {self.keypoints.shape} and boxes {self.boxes.shape} for {people} scores")

    def pick(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "FramePoses":
        """The people of ``rows``."""
        return FramePoses(self.keypoints[rows], self.boxes[rows], self.scores[rows])


NO_PEOPLE = FramePoses(np.zeros((0, 17, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class RangePoses:
    """People of consecutive frames, frame after frame."""

    pts: NDArray[np.int64]
    """``[frames]`` time stamps of the frames that were decoded."""
    counts: NDArray[np.int32]
    """``[frames]`` people per frame."""
    people: FramePoses
    """All people, ``counts[i]`` of them of frame ``i``."""
    planned: int
    """Frames that the plan has for this range."""
    sizes: NDArray[np.int32] = field(default_factory=lambda: NO_SIZES)
    """``[frames, 2]`` width and height where the frames are pictures of sizes of their own, else ``[0, 2]``."""
    broken: tuple[tuple[int, str], ...] = ()
    """Index and reason of each picture that could not be read."""
    sketches: NDArray[np.uint8] = field(default_factory=lambda: NO_SKETCHES)
    """``[frames, 264]`` what the frames look like, see `workers.core.camera`; ``[0, 264]`` where nobody knows."""

    damaged: int = 0
    """Frames that decoded with errors."""

    def __post_init__(self) -> None:
        if len(self.sketches) not in (0, len(self.pts)):
            raise ValueError(f"{len(self.sketches)} sketches of {len(self.pts)} frames")
        if self.pts.shape != self.counts.shape or int(self.counts.sum()) != len(self.people.scores):
            raise ValueError(
                f"{self.pts.shape} times, {self.counts.shape} counts of {self.counts.sum()} people, "
                f"{len(self.people.scores)} people"
            )

    def looks(self) -> list[Sketch] | list[None]:
        """The sketch of each frame."""
        return list(self.sketches) if len(self.sketches) else [None] * len(self.pts)

    def frames(self) -> list[FramePoses]:
        """The people of each frame."""
        stops = np.cumsum(self.counts)
        return [self.people.pick(np.arange(stop - count, stop)) for stop, count in zip(stops, self.counts, strict=True)]


def to_picture(detections: NDArray[np.float32], letterbox: Letterbox) -> FramePoses:
    """Poses of one frame as the model gives them, in pixels of the displayed picture.

    Args:
        detections: ``[people, 56]`` as `workers.core.decoder.decode` gives; rows of score 0 are left out.
        letterbox: geometry of the model's input.
    """
    if detections.ndim != 2 or detections.shape[1] != POSE_VALUES:
        raise ValueError(f"detections are {detections.shape}, expected [people, {POSE_VALUES}]")
    found = detections[detections[:, 55] > 0]
    points = found[:, :51].reshape(-1, 17, 3)
    keypoints = np.concatenate([letterbox.to_picture(points[..., :2]), points[..., 2:]], axis=-1)
    low = letterbox.to_picture(found[:, 51:53])
    high = letterbox.to_picture(found[:, 53:55])
    return FramePoses(keypoints, np.concatenate([low, high - low], axis=-1), found[:, 55].copy())
