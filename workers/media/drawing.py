"""Draw people on the planes of a picture: yuv420p as it comes from a decoder, or RGB."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from schema.skeleton import KEYPOINTS, LIMBS, side_of

_POINT_CONFIDENCE = 0.2
_FRACTION_BITS = 4
SIDE_RGB = {"left": (0, 200, 255), "right": (255, 140, 0), "middle": (120, 255, 120)}
_PEOPLE_RGB = (
    (230, 60, 60),
    (60, 140, 240),
    (60, 190, 90),
    (240, 190, 40),
    (170, 90, 220),
    (40, 200, 200),
    (240, 120, 180),
    (150, 150, 60),
)

_WHITE = (255, 255, 255)

Colour = tuple[int, int, int]


def yuv(rgb: Colour) -> Colour:
    """Limited-range BT.709 of an RGB colour."""
    r, g, b = (value / 255 for value in rgb)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return round(16 + 219 * luma), round(128 + 224 * (b - luma) / 1.8556), round(128 + 224 * (r - luma) / 1.5748)


def _plain(rgb: Colour) -> Colour:
    return rgb


@dataclass(frozen=True)
class DrawnPerson:
    """One person to draw, in pixels of the canvas."""

    track_id: int | None
    """Written beside the person; none writes nothing."""
    keypoints: NDArray[np.float32]
    """``[17, 3]`` x, y, confidence."""
    box: NDArray[np.float32]
    """``[4]`` x, y, width, height."""


class Canvas:
    """Three planes to draw on, each with its share of the picture's width and height."""

    def __init__(
        self, planes: list[NDArray[np.uint8]], shares: tuple[float, ...], colour: Callable[[Colour], Colour]
    ) -> None:
        self._planes = tuple(zip(planes, shares, strict=True))
        self._colour = colour
        self.height, self.width = planes[0].shape

    @classmethod
    def yuv420(cls, y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> "Canvas":
        """A yuv420p picture: one luma plane, two chroma planes of half the width and height."""
        if u.shape != v.shape or y.shape != (2 * u.shape[0], 2 * u.shape[1]):
            raise ValueError(f"planes {y.shape}, {u.shape}, {v.shape} are no yuv420p picture of even size")
        return cls([y, u, v], (1.0, 0.5, 0.5), yuv)

    @classmethod
    def rgb(cls, planes: list[NDArray[np.uint8]]) -> "Canvas":
        """Red, green and blue planes of one size."""
        return cls(planes, (1.0, 1.0, 1.0), _plain)

    def people(self, people: list[DrawnPerson]) -> None:
        """Draw skeletons, then labels, so that no limb covers a number."""
        width = max(2, round(max(self.height, self.width) / 320))
        for person in people:
            self._skeleton(person, width)
        for person in people:
            if person.track_id is not None:
                self._label(person, person.track_id, width)

    def _skeleton(self, person: DrawnPerson, width: int) -> None:
        seen = np.nan_to_num(person.keypoints[:, 2]) >= _POINT_CONFIDENCE
        for limb in LIMBS:
            if seen[limb[0]] and seen[limb[1]]:
                ends = person.keypoints[list(limb), :2]
                self._line(ends[0], ends[1], self._colour(SIDE_RGB[side_of(limb)]), width)
        for index in np.flatnonzero(seen):
            side = side_of((int(index), int(index))) if KEYPOINTS[index] != "nose" else "middle"
            self._dot(person.keypoints[index, :2], self._colour(SIDE_RGB[side]), width)

    def _label(self, person: DrawnPerson, track_id: int, width: int) -> None:
        text = str(track_id)
        scale = 0.35 * width
        (across, up), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, width)
        x = float(np.clip(person.box[0] + person.box[2] / 2 - across / 2, 0, max(0, self.width - across)))
        y = float(np.clip(person.box[1] - 2 * width, up + 2 * width, self.height - 1))
        pad = 2 * width
        colour = self._colour(_PEOPLE_RGB[(track_id - 1) % len(_PEOPLE_RGB)])
        for (plane, share), value, ink in zip(self._planes, colour, self._colour(_WHITE), strict=True):
            low = (round((x - pad) * share), round((y - up - pad) * share))
            high = (round((x + across + pad) * share), round((y + pad) * share))
            cv2.rectangle(plane, low, high, value, -1)
            at = (round(x * share), round(y * share))
            thickness = max(1, round(width * share))
            cv2.putText(plane, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale * share, ink, thickness, cv2.LINE_AA)

    def _line(self, a: NDArray[np.float32], b: NDArray[np.float32], colour: Colour, width: int) -> None:
        for (plane, share), value in zip(self._planes, colour, strict=True):
            thickness = max(1, round(width * share))
            cv2.line(plane, _fixed(a, share), _fixed(b, share), value, thickness, cv2.LINE_AA, _FRACTION_BITS)

    def _dot(self, at: NDArray[np.float32], colour: Colour, width: int) -> None:
        for (plane, share), value in zip(self._planes, colour, strict=True):
            radius = max(1, round(width * 1.3 * share * (1 << _FRACTION_BITS)))
            cv2.circle(plane, _fixed(at, share), radius, value, -1, cv2.LINE_AA, _FRACTION_BITS)


def _fixed(point: NDArray[np.float32], share: float) -> tuple[int, int]:
    """A point in OpenCV's fixed-point form, kept within what it can draw."""
    limit = 1 << 24
    x, y = (int(np.clip(round(float(value) * share * (1 << _FRACTION_BITS)), -limit, limit)) for value in point)
    return x, y
