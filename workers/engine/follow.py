"""Follow one person with a single-pose model: a look at the whole picture says where to look closely.

The published demo takes the crop from the frame before.  Here each frame finds its own crop, so frames do not depend
on each other: they fill batches, and where a video was cut does not show.
"""

from collections.abc import Iterator

import numpy as np

from schema.skeleton import KEYPOINTS
from workers.core.poses import FramePoses
from workers.core.regions import Square
from workers.engine.ahead import ahead
from workers.engine.look import Task, located
from workers.engine.picture import Picture
from workers.models.port import Floats, SinglePoseModel

_SEEN = 0.2
_LEAST_SCORE = 0.01
_TORSO_SHARE, _BODY_SHARE = 1.9, 1.2
"""Half the crop's side, in distances from the hips' middle to the farthest point of the torso, of the body."""
_MARGIN = 0.1
_HIPS = [KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]
_SHOULDERS = [KEYPOINTS.index("left_shoulder"), KEYPOINTS.index("right_shoulder")]


class Follower:
    """The one person of each picture."""

    def __init__(self, model: SinglePoseModel) -> None:
        self._model = model

    def views(self, width: int, height: int) -> None:
        """Crops are cut from the picture itself."""

    def run(self, pictures: Iterator[Picture]) -> Iterator[FramePoses]:
        """One person, or none, per picture."""
        with ahead((self._whole(picture) for picture in pictures), self._model.batch) as tasks:
            close = (self._close(task) for task in located(self._model, tasks))
            for task in located(self._model, close):
                yield _person(task.found[0] if task.found else task.about)

    def _whole(self, picture: Picture) -> Task[Picture]:
        square = _around_all(picture)
        return Task(picture, [square], [picture.crop(square, self._model.side)])

    def _close(self, seen: Task[Picture]) -> Task[Floats]:
        """A second look at the person; none when the first one already was as close."""
        picture, keypoints = seen.about, seen.found[0]
        square = crop_around(keypoints, picture.width, picture.height)
        if square is None:
            return Task(keypoints, [], [])
        return Task(keypoints, [square], [picture.crop(square, self._model.side)])


def crop_around(keypoints: Floats, width: int, height: int) -> Square | None:
    """The square to look at closely, as in the published demo; none for the whole picture.

    Args:
        keypoints: ``[17, 3]`` x, y, confidence in pixels.
        width: picture, pixels.
        height: picture, pixels.
    """
    seen = keypoints[:, 2] > _SEEN
    if not (seen[_HIPS].any() and seen[_SHOULDERS].any()):
        return None
    middle = keypoints[_HIPS, :2].mean(0)
    away = np.abs(keypoints[:, :2] - middle).max(-1)
    torso = away[_HIPS + _SHOULDERS].max()
    half = max(_TORSO_SHARE * torso, _BODY_SHARE * away[seen].max())
    if 2 * half > max(width, height) * 0.95:
        return None
    return Square.around(float(middle[0]), float(middle[1]), 2 * float(half))


def _around_all(picture: Picture) -> Square:
    return Square.around((picture.width - 1) / 2, (picture.height - 1) / 2, max(picture.width, picture.height))


def _person(keypoints: Floats) -> FramePoses:
    """Keypoints as a person: the box holds the points that are seen, the score is the mean confidence."""
    score = keypoints[:, 2].mean()
    seen = keypoints[keypoints[:, 2] > _SEEN, :2]
    if score < _LEAST_SCORE or not len(seen):
        return FramePoses(np.zeros((0, 17, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    low, high = seen.min(0), seen.max(0)
    margin = _MARGIN * (high - low)
    box = np.concatenate([low - margin, high - low + 2 * margin])
    return FramePoses(keypoints[None], box[None].astype(np.float32), np.array([score], np.float32))
