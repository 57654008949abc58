"""Look at crops with a single-pose model: crops of many pictures fill each call."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from workers.core.regions import Square
from workers.models.port import Floats, Pixels, SinglePoseModel

About = TypeVar("About")


@dataclass
class Task(Generic[About]):
    """Crops that belong together, and what they are about."""

    about: About
    squares: list[Square]
    crops: list[Pixels]
    """One per square, uint8 ``[side, side, 3]``."""
    expected: list[Floats] | None = None
    """One per square, ``[17, 2]`` (x, y) in pixels of the picture: where the keypoints are thought to be."""
    found: list[Floats] = field(default_factory=list)
    """One per square in the end, ``[17, 3]`` x, y, confidence in pixels of the picture."""

    @property
    def hints(self) -> list[Floats]:
        """Expected places in the crops."""
        return [square.to_crop(e) for square, e in zip(self.squares, self.expected or [], strict=True)]


def located(model: SinglePoseModel, tasks: Iterator[Task[About]]) -> Iterator[Task[About]]:
    """The same tasks in the same order, with what was found."""
    waiting: deque[Task[About]] = deque()
    unseen = 0
    for task in tasks:
        waiting.append(task)
        unseen += len(task.squares)
        while unseen >= model.batch:
            _look(model, waiting, model.batch)
            unseen -= model.batch
        yield from _finished(waiting)
    _look(model, waiting, unseen)
    yield from _finished(waiting)


def _finished(waiting: deque[Task[About]]) -> Iterator[Task[About]]:
    while waiting and len(waiting[0].found) == len(waiting[0].squares):
        yield waiting.popleft()


def _look(model: SinglePoseModel, waiting: deque[Task[About]], count: int) -> None:
    """Run the first ``count`` crops that were not looked at."""
    todo = [(task, i) for task in waiting for i in range(len(task.found), len(task.squares))][:count]
    if not todo:
        return
    crops = np.stack([task.crops[i] for task, i in todo])
    hints = [task.hints[i] for task, i in todo] if todo[0][0].expected is not None else None
    places = model.locate(crops, None if hints is None else np.stack(hints))
    for (task, i), place in zip(todo, places, strict=True):
        task.found.append(task.squares[i].to_picture(place))
