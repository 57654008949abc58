"""Put the engine together from models and options."""

from collections.abc import Iterator
from typing import Protocol

from schema.options import Options
from workers.core.poses import FramePoses
from workers.engine.find import Finder
from workers.engine.follow import Follower
from workers.engine.picture import Picture
from workers.engine.refine import Refiner
from workers.models.port import PoseModel, SinglePoseModel


class Engine(Protocol):
    """Pictures to people."""

    def run(self, pictures: Iterator[Picture]) -> Iterator[FramePoses]:
        """The people of each picture, best first, in pixels of the picture; nothing depends on the order."""
        ...


class _FindAndRefine:
    def __init__(self, finder: Finder, refiner: Refiner | None) -> None:
        self._finder, self._refiner = finder, refiner

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
