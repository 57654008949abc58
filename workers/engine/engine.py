"""Put the engine together from models and options."""

from collections.abc import Iterator
from typing import Protocol

from schema.options import Options
from workers.core.letterbox import Letterbox
from workers.core.poses import FramePoses
from workers.engine.find import Finder
from workers.engine.follow import Follower
from workers.engine.picture import Picture
from workers.engine.refine import Refiner
from workers.models.port import PoseModel, SinglePoseModel


class Engine(Protocol):
    """Pictures to people."""

    def views(self, width: int, height: int) -> list[Letterbox] | None:
        """All that `run` looks at in a picture of that size; none where it needs more than views of the whole."""
        ...

    def run(self, pictures: Iterator[Picture]) -> Iterator[FramePoses]:
        """The people of each picture, best first, in pixels of the picture; nothing depends on the order."""
        ...


class _FindAndRefine:
    def __init__(self, finder: Finder, refiner: Refiner | None) -> None:
        self._finder, self._refiner = finder, refiner

    def views(self, width: int, height: int) -> list[Letterbox] | None:
        return None if self._refiner else self._finder.views(width, height)

    def run(self, pictures: Iterator[Picture]) -> Iterator[FramePoses]:
        if self._refiner:
            return self._refiner.run(self._finder.pictures_and_people(pictures))
        return self._finder.people(pictures)


def many(options: Options, finder: PoseModel, refiner: SinglePoseModel | None) -> Engine:
    """An engine that finds many people, and looks at each closely where there is a model for it."""
    return _FindAndRefine(Finder(finder, options), Refiner(refiner, options.looks) if refiner else None)


def one(follower: SinglePoseModel) -> Engine:
    """An engine that follows one person."""
    return Follower(follower)
