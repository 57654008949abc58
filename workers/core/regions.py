"""Parts of a picture that a model looks at: the whole, overlapping tiles, and squares around people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.skeleton import MIRRORED
from workers.core.poses import FramePoses

Floats = NDArray[np.float32]

_OVERLAP = 0.25
_CUT = 0.01
_MOST_AUTO = 4


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    def shifted(self, poses: FramePoses) -> FramePoses:
        """Poses in pixels of the region, in pixels of the picture."""
        corner = np.array([self.left, self.top], np.float32)
        keypoints, boxes = poses.keypoints.copy(), poses.boxes.copy()
        keypoints[..., :2] += corner
        boxes[:, :2] += corner
        return FramePoses(keypoints, boxes, poses.scores)

    def uncut(self, poses: FramePoses, width: int, height: int) -> FramePoses:
        """Those of ``poses`` (pixels of the region) that no edge inside the ``width`` x ``height`` picture cuts."""
        low, high = poses.boxes[:, :2], poses.boxes[:, :2] + poses.boxes[:, 2:]
        near = _CUT * max(self.width, self.height)
        cut = (low[:, 0] < near) & (self.left > 0) | (low[:, 1] < near) & (self.top > 0)
        cut |= (high[:, 0] > self.width - near) & (self.left + self.width < width)
        cut |= (high[:, 1] > self.height - near) & (self.top + self.height < height)
        return poses.pick(~cut)


def tiles_of(width: int, height: int, tiles: str, input_size: int) -> list[Region]:
    """Overlapping tiles that cover a picture; none when it is not to be tiled.

    Args:
        width: picture, pixels.
        height: picture, pixels.
        tiles: ``off``, ``auto`` (tiles of about twice the input size, at most 4 along a side) or ``ROWSxCOLUMNS``.
        input_size: longer side of the model's input.
    """
    rows, columns = _grid(width, height, tiles, input_size)
    if rows * columns == 1:
        return []
    spans_y, spans_x = _spans(height, rows), _spans(width, columns)
    return [Region(x, y, w, h) for y, h in spans_y for x, w in spans_x]


def _grid(width: int, height: int, tiles: str, input_size: int) -> tuple[int, int]:
    if tiles == "off":
        return 1, 1
    if tiles == "auto":
        rows, columns = (min(_MOST_AUTO, max(1, round(side / (2 * input_size)))) for side in (height, width))
        return rows, columns
    rows, columns = map(int, tiles.split("x"))
    return rows, columns


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    """Begin and length of ``count`` equal spans, each overlapping the next by a quarter."""
    span = min(length, int(np.ceil(length / (count - (count - 1) * _OVERLAP))))
    begins = np.linspace(0, length - span, count).round().astype(int)
    return [(int(begin), span) for begin in begins]


@dataclass(frozen=True)
class Square:
    """A square of whole pixels around a person; it may reach beyond the picture."""

    left: int
    top: int
    side: int
    mirrored: bool = False

    @classmethod
    def around(cls, x: float, y: float, side: float, *, mirrored: bool = False) -> "Square":
        """The square of ``side`` pixels whose middle is nearest to (x, y)."""
        whole = max(1, round(side))
        return cls(round(x + 0.5 - whole / 2), round(y + 0.5 - whole / 2), whole, mirrored)

    def to_picture(self, found: Floats) -> Floats:
        """Keypoints ``[17, 3]`` (y, x, confidence), 0..1 of the crop, as (x, y, confidence) in the picture."""
        if self.mirrored:
            found = found[list(MIRRORED)] * np.array([1, -1, 1], np.float32) + np.array([0, 1, 0], np.float32)
        places = found[:, 1::-1] * self.side + np.array([self.left, self.top]) - 0.5
        return np.concatenate([places, found[:, 2:]], axis=1).astype(np.float32)

    def to_crop(self, keypoints: Floats) -> Floats:
        """Keypoints ``[17, 2]`` (x, y) in pixels as (y, x) in 0..1 of the crop."""
        places = ((keypoints + 0.5 - np.array([self.left, self.top])) / self.side)[:, ::-1]
        if self.mirrored:
            places = places[list(MIRRORED)] * np.array([1, -1]) + np.array([0, 1])
        return np.asarray(places, np.float32)
