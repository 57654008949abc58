"""Find people with a MultiPose model: whole pictures and tiles, at one or several sizes, in full batches."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from schema.options import Options
from workers.core.letterbox import Letterbox
from workers.core.merge import distinct, together
from workers.core.poses import FramePoses, to_picture
from workers.core.regions import Region, tiles_of
from workers.engine.ahead import ahead
from workers.engine.picture import Picture
from workers.models.port import Pixels, PoseModel

_LEAST_SCORE = 0.01
_WINDOWS_AHEAD = 3
_SAME_OKS, _SAME_IOU = 0.7, 0.7

Found = tuple[Picture, FramePoses]


@dataclass(frozen=True)
class _View:
    """What the model is shown of one picture of a window."""

    index: int
    region: Region
    letterbox: Letterbox
    pixels: Pixels


@dataclass(frozen=True)
class _Window:
    """As many pictures as fill the model's batches, and the views of them by shape."""

    pictures: list[Picture]
    """Empty when nobody needs them any more: a decoded frame is large."""
    sizes: list[tuple[int, int]]
    views: dict[tuple[int, ...], list[_View]]


class Finder:
    """People in pictures. Pictures are read and scaled ahead of the model, in a thread of their own."""

    def __init__(self, model: PoseModel, options: Options) -> None:
        self._model = model
        self._options = options

    def views(self, width: int, height: int) -> list[Letterbox] | None:
        """See `Engine.views`."""
        looks = self._looks(width, height)
        whole = all((region.width, region.height) == (width, height) for region, _ in looks)
        return [box for _, box in looks] if whole else None

    def people(self, pictures: Iterator[Picture]) -> Iterator[FramePoses]:
        """The people of each picture, best first, in pixels of the picture."""
        with ahead(self._windows(pictures, keep=False), _WINDOWS_AHEAD) as windows:
            for window in windows:
                yield from self._people(window)

    def pictures_and_people(self, pictures: Iterator[Picture]) -> Iterator[Found]:
        """Each picture with its people."""
        with ahead(self._windows(pictures, keep=True), 1) as windows:
            for window in windows:
                yield from zip(window.pictures, self._people(window), strict=True)

    def _windows(self, pictures: Iterator[Picture], *, keep: bool) -> Iterator[_Window]:
        first = next(pictures, None)
        if first is None:
            return
        shown = self._looks(first.width, first.height)
        size = max(self._model.batch(box.padded_height, box.padded_width) for _, box in shown)
        every = chain([first], pictures)
        while window := list(islice(every, size)):
            yield self._window(window, keep=keep)

    def _window(self, pictures: list[Picture], *, keep: bool) -> _Window:
        views: dict[tuple[int, ...], list[_View]] = defaultdict(list)
        for index, picture in enumerate(pictures):
            for region, box in self._looks(picture.width, picture.height):
                pixels = picture.view(region, box)
                views[pixels.shape].append(_View(index, region, box, pixels))
        sizes = [(picture.width, picture.height) for picture in pictures]
        return _Window(pictures if keep else [], sizes, views)

    def _looks(self, width: int, height: int) -> list[tuple[Region, Letterbox]]:
        """What is looked at: the whole picture at every size, each tile at the first one."""
        whole = Region(0, 0, width, height)
        first, *more = self._options.sizes
        looks = [(whole, size) for size in (first, *more)]
        looks += [(tile, first) for tile in tiles_of(width, height, self._options.tiles, first)]
        return [(region, Letterbox.fit(region.width, region.height, size)) for region, size in looks]

    def _people(self, window: _Window) -> list[FramePoses]:
        found: list[list[FramePoses]] = [[] for _ in window.sizes]
        for views in window.views.values():
            poses = self._model.detect(np.stack([view.pixels for view in views]), self._options.max_people)
            for view, of_view in zip(views, poses, strict=True):
                people = to_picture(of_view[of_view[:, 55] >= _LEAST_SCORE], view.letterbox)
                people = view.region.uncut(people, *window.sizes[view.index])
                found[view.index].append(view.region.shifted(people))
        return [self._merged(each) for each in found]

    def _merged(self, found: list[FramePoses]) -> FramePoses:
        if len(found) == 1:
            return found[0]
        people = distinct(together(found), oks=_SAME_OKS, iou=_SAME_IOU)
        return people.pick(np.arange(min(len(people.scores), self._options.max_people)))
