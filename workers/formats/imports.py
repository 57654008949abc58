"""Poses that other tools found, or that are in a track file of ours: frame by frame, as a tracker takes them."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schema.errors import ConfigurationError
from schema.skeleton import KEYPOINTS
from workers.core.poses import NO_PEOPLE, FramePoses
from workers.formats.exports.openpose import BODY_25, COCO_18
from workers.formats.tracks import TracksFile

_ORDERS = {3 * len(order): order for order in (BODY_25, COCO_18, KEYPOINTS)}
_MARGIN = 0.1
_MOST_FRAMES = 10_000_000
_FRAME_NUMBER = re.compile(r"(\d+)(?:_keypoints)?\.json$")
_LABELS = frozenset({0.0, 1.0, 2.0})


Box = NDArray[np.float32]


class Found(NamedTuple):
    """The people of one frame."""

    frame: int
    time_s: float | None
    """None where the file does not tell."""
    people: FramePoses


def read_found(path: Path) -> Iterator[Found]:
    """Frames in order, those without people as far as the file tells; what kind of file it is shows.

    Args:
        path: a track file of ours (``.parquet``), a folder of OpenPose's JSON files, or COCO keypoints (``.json``):
            results, or a dataset with ``annotations``.

    Raises:
        ConfigurationError: it is none of these, or it is damaged; the file is named.
    """
    if path.is_dir():
        return _openpose(path)
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist: give tracks.parquet, a folder of OpenPose JSON, or COCO JSON")
    if path.suffix == ".json":
        return _coco(path)
    return _ours(path)


def _ours(path: Path) -> Iterator[Found]:
    for rows in TracksFile(path):
        for people in rows.pick(~rows.interpolated).split(rows.frames[~rows.interpolated]):
            found = FramePoses(people.keypoints, people.boxes, people.scores)
            yield Found(int(people.frames[0]), float(people.times[0]), found)


def _openpose(folder: Path) -> Iterator[Found]:
    numbered = {}
    for path in folder.glob("*.json"):
        number = _FRAME_NUMBER.search(path.name)
        if number is not None and int(number.group(1)) < _MOST_FRAMES:
            numbered[int(number.group(1))] = path
    if not numbered:
        raise ConfigurationError(f"{folder} holds no file such as name_000000000000_keypoints.json")
    for frame in sorted(numbered):
        document = _read_json(numbered[frame])
        if not isinstance(document, dict) or not isinstance(document.get("people"), list):
            raise ConfigurationError(f"{numbered[frame]} is no file of OpenPose's: it has no list 'people'")
        points = [_openpose_person(person, numbered[frame]) for person in document["people"]]
        none = [None] * len(points)
        yield Found(frame, None, _people(np.stack(points), none, none) if points else NO_PEOPLE)


def _openpose_person(person: Any, path: Path) -> NDArray[np.float32]:
    values = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
    if not isinstance(values, list) or len(values) not in _ORDERS:
        raise ConfigurationError(f"{path}: pose_keypoints_2d has to hold 75 (BODY_25), 54 (COCO) or 51 numbers")
    order = _ORDERS[len(values)]
    given = _numbers(values, path).reshape(-1, 3)
    return given[[order.index(name) for name in KEYPOINTS]]


def _coco(path: Path) -> Iterator[Found]:
    document = _read_json(path)
    listed = document.get("annotations") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise ConfigurationError(f"{path} holds no COCO keypoints: neither a list of results nor 'annotations'")
    frames = _frames_of_images(document, path)
    placed = [(_frame_of(item, frames, path), item) for item in listed]
    for frame, items in groupby(sorted(placed, key=lambda one: one[0]), key=lambda one: one[0]):
        people = [item for _, item in items]
        points = np.stack([_coco_points(item, path) for item in people])
        scores = [_number(item.get("score"), "score", path) for item in people]
        boxes = [_box(item.get("bbox"), path) for item in people]
        yield Found(frame, _number(people[0].get("timestamp"), "timestamp", path), _people(points, scores, boxes))


def _frames_of_images(document: Any, path: Path) -> dict[Any, int]:
    """Frame index of each image id: as it is told, else its place in the order of ids."""
    images = document.get("images", []) if isinstance(document, dict) else []
    try:
        ids = sorted(image["id"] for image in images)
        places = {number: place for place, number in enumerate(ids)}
        return {image["id"]: int(image.get("frame_index", places[image["id"]])) for image in images}
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise ConfigurationError(f"{path}: every one of 'images' needs an id, and frame_index is a number") from error


def _frame_of(item: Any, frames: dict[Any, int], path: Path) -> int:
    if not isinstance(item, dict) or "image_id" not in item or "keypoints" not in item:
        raise ConfigurationError(f"{path}: every result needs image_id and keypoints")
    image = item["image_id"]
    found = item.get("frame", frames.get(image, image) if isinstance(image, int | str) else None)
    if not isinstance(found, int) or not 0 <= found < _MOST_FRAMES:
        raise ConfigurationError(f"{path}: image_id {image} is no frame index, and no 'images' say which frame it is")
    return found


def _coco_points(item: dict[str, Any], path: Path) -> NDArray[np.float32]:
    values = item["keypoints"]
    if not isinstance(values, list) or len(values) != 3 * len(KEYPOINTS):
        raise ConfigurationError(f"{path}: keypoints of image {item['image_id']} have to be 51 numbers: x, y, score")
    points = _numbers(values, path).reshape(-1, 3)
    if "score" not in item and set(np.unique(points[:, 2]).tolist()) <= _LABELS:
        points[:, 2] = points[:, 2] > 0  # visibility as labelled, not a confidence
    return points


def _people(points: NDArray[np.float32], scores: Sequence[float | None], boxes: Sequence[Box | None]) -> FramePoses:
    """People of ``points`` ``[people, 17, 3]``; zeros become NaN, scores and boxes that are missing are made up."""
    points = points.copy()
    points[(points[..., 2] <= 0) | ~np.isfinite(points).all(-1)] = (np.nan, np.nan, 0.0)
    told = zip(points, boxes, scores, strict=True)
    each = [(_around(one) if box is None else box, _mean(one) if score is None else score) for one, box, score in told]
    box, score = np.stack([one[0] for one in each]), [one[1] for one in each]
    order = np.argsort(-np.array(score), kind="stable")
    return FramePoses(points[order], box[order], np.array(score, np.float32)[order])


def _around(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """A box around the keypoints and a tenth more on each side; zeros where there is none."""
    seen = points[np.isfinite(points[:, 0]), :2]
    if not len(seen):
        return np.zeros(4, np.float32)
    low, size = seen.min(0), np.ptp(seen, axis=0)
    return np.concatenate([low - _MARGIN * size, (1 + 2 * _MARGIN) * size]).astype(np.float32)


def _number(value: Any, name: str, path: Path) -> float | None:
    """A number as it stands in JSON, none where it is left out."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigurationError(f"{path}: {name} {value!r} is no number")
    return float(value)


def _box(value: Any, path: Path) -> NDArray[np.float32] | None:
    if value is None:
        return None
    box = _numbers(value, path) if isinstance(value, list) else np.zeros(0, np.float32)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ConfigurationError(f"{path}: bbox {value!r} has to be four numbers: x, y, width, height")
    return box


def _mean(points: NDArray[np.float32]) -> float:
    seen = points[points[:, 2] > 0, 2]
    return float(seen.mean()) if len(seen) else 0.0


def _numbers(values: list[Any], path: Path) -> NDArray[np.float32]:
    try:
        return np.array([np.nan if value is None else value for value in values], np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: keypoints and boxes have to be numbers") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationError(f"{path} is no JSON: {error}") from error
