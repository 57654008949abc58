"""Refine: a single-pose model looks at crops of every person that was found."""

from collections.abc import Iterator

import numpy as np

from workers.core.merge import distinct, fuse
from workers.core.poses import FramePoses
from workers.core.regions import Square
from workers.engine.find import Found
from workers.engine.look import Task, located
from workers.engine.picture import Picture
from workers.models.port import Floats, SinglePoseModel

_LEAST_SCORE = 0.02
_SMALLEST = 8
_SAME_OKS = 0.5

#: Side of each look's crop, in longer sides of the person's box, and whether it is mirrored.
_LOOKS = ((1.15, False), (1.0, True), (1.35, True), (1.5, False))


class Refiner:
    """Keypoints and scores of people, taken from a model that sees each of them large."""

    def __init__(self, model: SinglePoseModel, looks: int) -> None:
        self._model = model
        self._looks = _LOOKS[:looks]

    def run(self, found: Iterator[Found]) -> Iterator[FramePoses]:
        """The people of each picture, best first; crops of many pictures share a call."""
        tasks = (self._task(picture, people) for picture, people in found)
        for task in located(self._model, tasks):
            yield self._refined(task.about, task.found)

    def _task(self, picture: Picture, people: FramePoses) -> Task[FramePoses]:
        people = people.pick(people.scores >= _LEAST_SCORE)
        squares = [_square(box, *look) for look in self._looks for box in people.boxes]
        crops = [picture.crop(square, self._model.side) for square in squares]
        return Task(people, squares, crops, [*people.keypoints[..., :2]] * len(self._looks))

    def _refined(self, people: FramePoses, found: list[Floats]) -> FramePoses:
        """What the looks say together; several of them are joined with what the first model said."""
        count = len(people.scores)
        if not count:
            return people
        looks = np.stack(found).reshape(len(self._looks), count, 17, 3)
        several = len(looks) > 1
        keypoints = fuse(np.concatenate([looks, people.keypoints[None]]), people.boxes) if several else looks[0]
        scores = np.sqrt(people.scores * keypoints[..., 2].mean(-1)).astype(np.float32)
        return distinct(FramePoses(keypoints, people.boxes, scores), oks=_SAME_OKS)


def _square(box: Floats, share: float, mirrored: bool) -> Square:
    side = max(float(box[2]), float(box[3]), _SMALLEST) * share
    return Square.around(float(box[0] + box[2] / 2), float(box[1] + box[3] / 2), side, mirrored=mirrored)
