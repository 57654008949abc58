"""OpenPose: a JSON file per frame, keypoints in its BODY_25 or COCO_18 order."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS
from workers.core.rows import TrackRows
from workers.formats.exports.port import Video

_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_ARMS = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("shoulder", "elbow", "wrist"))
_LEGS = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("hip", "knee", "ankle"))
_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))

BODY_25: tuple[str, ...] = ("nose", "neck", *_ARMS, "mid_hip", *_LEGS, *_FACE, *_FEET)
COCO_18: tuple[str, ...] = ("nose", "neck", *_ARMS, *_LEGS, *_FACE)
_MEANS = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
_EMPTY_PARTS = (
    "face_keypoints_2d",
    "hand_left_keypoints_2d",
    "hand_right_keypoints_2d",
    "pose_keypoints_3d",
    "face_keypoints_3d",
    "hand_left_keypoints_3d",
    "hand_right_keypoints_3d",
)


def reordered(keypoints: NDArray[np.float32], order: tuple[str, ...]) -> NDArray[np.float32]:
    """COCO keypoints in another order; what COCO does not have is the mean of two, or 0, 0, 0.

    Args:
        keypoints: ``[people, 17, 3]`` x, y, confidence.
        order: `BODY_25` or `COCO_18`.

    Returns:
        ``[people, len(order), 3]``; the confidence of a mean is the lower of the two, NaN becomes 0, 0, 0.
    """
    found = np.zeros((len(keypoints), len(order), 3), np.float32)
    for place, name in enumerate(order):
        if name in KEYPOINTS:
            found[:, place] = keypoints[:, KEYPOINTS.index(name)]
        elif name in _MEANS:
            pair = keypoints[:, [KEYPOINTS.index(part) for part in _MEANS[name]]]
            found[:, place, :2] = pair[..., :2].mean(1)
            found[:, place, 2] = pair[..., 2].min(1)
    found[~np.isfinite(found).all(-1)] = 0.0
    return found


class OpenPoseExporter:
    """Writes ``<name>_<frame>_keypoints.json`` for every frame, with nobody in it too."""

    def __init__(self, folder: Path, video: Video, order: tuple[str, ...] = BODY_25) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._video, self._order = folder, video, order
        self._next = 0

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        points = reordered(rows.keypoints, self._order).reshape(len(rows), 3 * len(self._order))
        for people in rows.split(rows.frames):
            frame = int(people.frames[0])
            self._empty_until(frame)
            first = int(np.searchsorted(rows.frames, frame))
            self._write(
                [
                    {"person_id": [int(track)], "pose_keypoints_2d": _rounded(points[first + i]), **_nothing()}
                    for i, track in enumerate(people.tracks)
                ]
            )

    def close(self) -> None:
        """Write the frames that are left."""
        self._empty_until(self._video.frames)

    def _empty_until(self, frame: int) -> None:
        while self._next < frame:
            self._write([])

    def _write(self, people: list[dict[str, object]]) -> None:
        path = self._folder / f"{self._video.name}_{self._next:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": people}), encoding="utf-8")
        self._next += 1


def _nothing() -> dict[str, list[float]]:
    return {part: [] for part in _EMPTY_PARTS}


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
