"""Formats that are one JSON document: COCO keypoint results, PoseTrack18, MMPose."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS, LIMBS
from workers.core.rows import TrackRows
from workers.formats.exports.port import Video

POSETRACK = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", *KEYPOINTS[5:])
_NECK_SHARE, _CROWN_SHARE = 0.25, 0.9
_FIRST_IMAGE = 10_000_000


class _JsonList:
    """Writes the items of a JSON list one by one."""

    def __init__(self, path: Path, opening: str = "[") -> None:
        self._file = path.open("w", encoding="utf-8")
        self._file.write(opening)
        self._count = 0

    def add(self, item: object) -> None:
        self._file.write((",\n" if self._count else "\n") + json.dumps(item, allow_nan=False))
        self._count += 1

    def close(self, closing: str = "\n]\n") -> None:
        with self._file:
            self._file.write(closing)


class CocoExporter:
    """COCO keypoint results, a list that ``loadRes`` takes; the image id is the frame index."""

    def __init__(self, path: Path) -> None:
        self._list = _JsonList(path)

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        for row in range(len(rows)):
            self._list.add(
                {
                    "image_id": int(rows.frames[row]),
                    "category_id": 1,
                    "keypoints": _numbers(rows.keypoints[row]),
                    "score": round(float(rows.scores[row]), 5),
                    "bbox": _numbers(rows.boxes[row]),
                    "track_id": int(rows.tracks[row]),
                    "frame": int(rows.frames[row]),
                    "timestamp": round(float(rows.times[row]), 6),
                }
            )

    def close(self) -> None:
        """End the list."""
        self._list.close()


class MMPoseExporter:
    """MMPose's predictions: an item per frame, with nobody in it too."""

    def __init__(self, path: Path, video: Video) -> None:
        self._list, self._frames = _JsonList(path), video.frames
        self._next = 0

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        corners = np.concatenate([rows.boxes[:, :2], rows.boxes[:, :2] + rows.boxes[:, 2:]], -1)
        for people in rows.split(rows.frames):
            self._until(int(people.frames[0]))
            first = int(np.searchsorted(rows.frames, people.frames[0]))
            self._frame([_instance(people, i, corners[first + i]) for i in range(len(people))])

    def close(self) -> None:
        """Write the frames that are left and end the list."""
        self._until(self._frames)
        self._list.close()

    def _until(self, frame: int) -> None:
        while self._next < frame:
            self._frame([])

    def _frame(self, instances: list[dict[str, object]]) -> None:
        self._list.add({"frame_id": self._next, "instances": instances})
        self._next += 1


def _instance(people: TrackRows, row: int, corners: NDArray[np.float32]) -> dict[str, object]:
    points = np.nan_to_num(people.keypoints[row])
    return {
        "keypoints": [_numbers(point) for point in points[:, :2]],
        "keypoint_scores": _numbers(points[:, 2]),
        "bbox": [_numbers(corners)],
        "bbox_score": round(float(people.scores[row]), 5),
        "instance_id": int(people.tracks[row]),
    }


class PoseTrackExporter:
    """PoseTrack18: one document per sequence.

    Neck and crown, which COCO does not have, are derived: a quarter of the way from the shoulders' middle to the nose,
    and 0.9 of that distance beyond it.  ``info`` says so.
    """

    def __init__(self, path: Path, video: Video) -> None:
        self._video = video
        limbs = [[POSETRACK.index(KEYPOINTS[a]) + 1, POSETRACK.index(KEYPOINTS[b]) + 1] for a, b in LIMBS if a > 4]
        category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": POSETRACK, "skeleton": limbs}
        info = {"derived_keypoints": ["head_bottom", "head_top"]}
        self._list = _JsonList(
            path, f'{{"info": {json.dumps(info)},\n"categories": {json.dumps([category])},\n"annotations": ['
        )
        self._count = 0

    def add(self, rows: TrackRows) -> None:
        """Take the next rows."""
        points = posetrack_points(rows.keypoints)
        for row in range(len(rows)):
            seen = points[row, :, 2] > 0
            self._list.add(
                {
                    "id": _FIRST_IMAGE * 100 + self._count,
                    "image_id": _FIRST_IMAGE + int(rows.frames[row]),
                    "category_id": 1,
                    "track_id": int(rows.tracks[row]),
                    "keypoints": _numbers(np.concatenate([points[row, :, :2], seen[:, None]], -1)),
                    "scores": _numbers(points[row, :, 2]),
                    "score": round(float(rows.scores[row]), 5),
                    "bbox": _numbers(rows.boxes[row]),
                }
            )
            self._count += 1

    def close(self) -> None:
        """List the images and end the document."""
        images = (
            {
                "id": _FIRST_IMAGE + frame,
                "frame_id": _FIRST_IMAGE + frame,
                "file_name": f"images/{self._video.name}/{frame:06d}.jpg",
                "nframes": self._video.frames,
                "vid_id": self._video.name,
                "is_labeled": True,
                "width": self._video.width,
                "height": self._video.height,
            }
            for frame in range(self._video.frames)
        )
        self._list.close('\n],\n"images": [' + ",\n".join(map(json.dumps, images)) + "]}\n")


def posetrack_points(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """COCO keypoints ``[people, 17, 3]`` in PoseTrack's order; what is missing is 0, 0, 0."""
    found = np.zeros_like(keypoints)
    for place, name in enumerate(POSETRACK):
        if name in KEYPOINTS:
            found[:, place] = keypoints[:, KEYPOINTS.index(name)]
    nose, shoulders = keypoints[:, 0], keypoints[:, 5:7]
    middle, sure = shoulders[..., :2].mean(1), np.minimum(shoulders[..., 2].min(1), nose[:, 2])
    up = nose[:, :2] - middle
    found[:, 1, :2], found[:, 2, :2] = middle + _NECK_SHARE * up, nose[:, :2] + _CROWN_SHARE * (1 - _NECK_SHARE) * up
    found[:, 1, 2] = found[:, 2, 2] = sure
    found[~np.isfinite(found).all(-1)] = 0.0
    return found


def _numbers(values: NDArray[np.float32]) -> list[float]:
    """Numbers in a row, in ten-thousandths; NaN becomes 0."""
    return [round(value, 4) for value in np.nan_to_num(np.asarray(values)).ravel().tolist()]
