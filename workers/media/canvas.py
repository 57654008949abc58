"""Three planes to draw on: yuv420p as it comes from a decoder, or RGB. Nothing is converted but the colours."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_FRACTION_BITS = 4
_OPAQUE = 0.95
_LIMIT = 1 << 24

Colour = tuple[int, int, int]
"""Red, green, blue."""
Plane = NDArray[np.uint8]
Point = NDArray[np.float32]
"""``[2]`` x, y in pixels of the canvas."""


class Part(NamedTuple):
    """A rectangle of the canvas in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


@lru_cache(maxsize=256)
def yuv(rgb: Colour) -> Colour:
    """Limited-range BT.709 of an RGB colour."""
    r, g, b = (value / 255 for value in rgb)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return round(16 + 219 * luma), round(128 + 224 * (b - luma) / 1.8556), round(128 + 224 * (r - luma) / 1.5748)


def _plain(rgb: Colour) -> Colour:
    return rgb


class Canvas:
    """Planes, each with its share of the picture's width and height."""

    def __init__(self, planes: list[Plane], shares: tuple[float, ...], colour: Callable[[Colour], Colour]) -> None:
        self.planes = tuple(zip(planes, shares, strict=True))
        self.colour = colour
        self.height, self.width = planes[0].shape

    @classmethod
    def yuv420(cls, y: Plane, u: Plane, v: Plane) -> "Canvas":
        """A yuv420p picture: one luma plane, two chroma planes of half the width and height."""
        if u.shape != v.shape or y.shape != (2 * u.shape[0], 2 * u.shape[1]):
            raise ValueError(f"planes {y.shape}, {u.shape}, {v.shape} are no yuv420p picture of even size")
        return cls([y, u, v], (1.0, 0.5, 0.5), yuv)

    @classmethod
    def rgb(cls, planes: list[Plane]) -> "Canvas":
        """Red, green and blue planes of one size."""
        return cls(planes, (1.0, 1.0, 1.0), _plain)

    def part(self, left: int, right: int) -> "Canvas":
        """The columns ``left..right`` as a canvas of their own; both even."""
        planes = [plane[:, round(left * share) : round(right * share)] for plane, share in self.planes]
        return Canvas(planes, tuple(share for _, share in self.planes), self.colour)

    def take(self, other: "Canvas") -> None:
        """Copy the picture of ``other``, of the same size."""
        for (mine, _), (theirs, _) in zip(self.planes, other.planes, strict=True):
            mine[...] = theirs

    def fill(self, rgb: Colour) -> None:
        """Paint everything."""
        for (plane, _), value in zip(self.planes, self.colour(rgb), strict=True):
            plane[...] = value

    def lines(self, ends: NDArray[np.float32], colours: list[Colour], width: float, opacity: list[float]) -> None:
        """Lines between pairs of ``ends`` ``[n, 2, 2]``, each with its colour and opacity."""
        for plane, share, number, places in self._placed(ends.reshape(-1, 2)):
            pen = max(1, round(width * share))
            for at, (rgb, strength) in enumerate(zip(colours, opacity, strict=True)):
                value, a, b = self.colour(rgb)[number], places[2 * at], places[2 * at + 1]
                if strength >= _OPAQUE:
                    cv2.line(plane, a, b, value, pen, cv2.LINE_AA, _FRACTION_BITS)
                else:
                    above, seen, (left, top) = _copy_around(plane, [a, b], pen + 2)
                    ends_there = _moved(a, left, top), _moved(b, left, top)
                    if seen.size:
                        cv2.line(above, *ends_there, value, pen, cv2.LINE_AA, _FRACTION_BITS)
                        _lay(above, seen, strength)

    def dots(self, at: NDArray[np.float32], colours: list[Colour], radius: float, opacity: list[float]) -> None:
        """Discs around points ``[n, 2]``, each with its colour and opacity."""
        for plane, share, number, places in self._placed(at):
            size = max(1, round(radius * share * (1 << _FRACTION_BITS)))
            for place, rgb, strength in zip(places, colours, opacity, strict=True):
                value = self.colour(rgb)[number]
                if strength >= _OPAQUE:
                    cv2.circle(plane, place, size, value, -1, cv2.LINE_AA, _FRACTION_BITS)
                else:
                    above, seen, (left, top) = _copy_around(plane, [place], (size >> _FRACTION_BITS) + 2)
                    if seen.size:
                        cv2.circle(above, _moved(place, left, top), size, value, -1, cv2.LINE_AA, _FRACTION_BITS)
                        _lay(above, seen, strength)

    def _placed(self, points: NDArray[np.float32]) -> Iterator[tuple[Plane, float, int, list[list[int]]]]:
        """Each plane with its share, its number, and where ``points`` are on it in OpenCV's fixed-point form."""
        known: dict[float, list[list[int]]] = {}
        for number, (plane, share) in enumerate(self.planes):
            if share not in known:
                known[share] = _fixed(points, share)
            yield plane, share, number, known[share]

    def line(self, points: NDArray[np.float32], rgb: Colour, width: float, opacity: float = 1.0) -> None:
        """A line through ``points`` ``[n, 2]``."""
        for plane, share, number, places in self._placed(points):
            pen = max(1, round(width * share))
            above, seen, (left, top) = _copy_around(plane, places, pen + 2)
            if not seen.size:
                continue
            drawn = np.array([_moved(place, left, top) for place in places], np.int32)
            cv2.polylines(above, [drawn], False, self.colour(rgb)[number], pen, cv2.LINE_AA, _FRACTION_BITS)
            _lay(above, seen, opacity)

    def box(self, box: NDArray[np.float32], rgb: Colour, width: float) -> None:
        """The outline of a rectangle ``[4]``: x, y, width, height."""
        x, y, across, down = box
        corners = [(x, y), (x + across, y), (x + across, y + down), (x, y + down), (x, y)]
        self.line(np.array(corners, np.float32), rgb, width)

    def text(self, text: str, at: Point, size: float, ink: Colour, paper: Colour | None, anchor: float = 0.5) -> None:
        """A line of text whose lower edge is at ``at``, moved into the picture.

        Args:
            text: what to write.
            at: a point of its lower edge.
            size: width of a pen stroke in pixels.
            ink: colour of the letters.
            paper: colour of the rectangle behind them; none outlines them in black.
            anchor: which: 0 its left end, 1 its right end.
        """
        scale, pen = 0.35 * size, max(1, round(size))
        (across, up), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, pen)
        x = float(np.clip(at[0] - across * anchor, 0, max(0, self.width - across)))
        y = float(np.clip(at[1], up + 2 * size, max(up + 2 * size, self.height - 1)))
        pad = 2 * size
        black = self.colour((0, 0, 0))
        papers = self.colour(paper) if paper else black
        for (plane, share), paint, edge, value in zip(self.planes, papers, black, self.colour(ink), strict=True):
            place = (round(x * share), round(y * share))
            thin = max(1, round(pen * share))
            if paper:
                low = (round((x - pad) * share), round((y - up - pad) * share))
                cv2.rectangle(plane, low, (round((x + across + pad) * share), round((y + pad) * share)), paint, -1)
            else:
                cv2.putText(plane, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale * share, edge, 3 * thin, cv2.LINE_AA)
            cv2.putText(plane, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale * share, value, thin, cv2.LINE_AA)

    def coarsen(self, part: Part, blocks: int, *, smooth: bool, round_off: bool) -> None:
        """Leave ``blocks`` values across the shorter side of ``part``, so that nothing finer can be got back.

        Args:
            part: what to make coarse.
            blocks: how many; four times as many along the longer side at most, whatever the picture's edge cuts off.
            smooth: blend them into each other.
            round_off: keep to the ellipse inside the part.
        """
        wide, high = part.right - part.left, part.bottom - part.top
        for plane, share in self.planes:
            left, right = max(0, int(part.left * share)), min(plane.shape[1], int(part.right * share) + 1)
            top, bottom = max(0, int(part.top * share)), min(plane.shape[0], int(part.bottom * share) + 1)
            if right <= left or bottom <= top:
                continue
            seen = plane[top:bottom, left:right]
            each = max(1.0, share * max(min(wide, high) / blocks, max(wide, high) / (4 * blocks)))
            few = (max(1, round(seen.shape[1] / each)), max(1, round(seen.shape[0] / each)))
            coarse = cv2.resize(seen, few, interpolation=cv2.INTER_AREA)
            size = (seen.shape[1], seen.shape[0])
            back = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST)
            if not round_off:
                seen[...] = back
                continue
            mask = np.zeros(seen.shape, np.uint8)
            middle = (
                round((part.left + part.right) / 2 * share) - left,
                round((part.top + part.bottom) / 2 * share) - top,
            )
            axes = (round((part.right - part.left) / 2 * share) + 1, round((part.bottom - part.top) / 2 * share) + 1)
            cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
            np.copyto(seen, back, where=mask > 0)

    def tint(self, rgb: NDArray[np.uint8], opacity: NDArray[np.float32]) -> None:
        """Lay a small picture ``[h, w, 3]`` over everything, with its ``opacity`` ``[h, w]``."""
        flat = rgb.reshape(-1, 3)
        values = np.array([self.colour((int(r), int(g), int(b))) for r, g, b in np.unique(flat, axis=0)], np.float32)
        _, which = np.unique(flat, axis=0, return_inverse=True)
        for number, (plane, _) in enumerate(self.planes):
            size = (plane.shape[1], plane.shape[0])
            small = values[which.ravel(), number].reshape(opacity.shape)
            share = cv2.resize(opacity, size, interpolation=cv2.INTER_LINEAR)
            colour = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
            mixed = plane + share * (colour - plane)
            plane[...] = np.clip(mixed, 0, 255).astype(np.uint8)


def _fixed(points: NDArray[np.float32], share: float) -> list[list[int]]:
    """Points in OpenCV's fixed-point form, kept within what it can draw."""
    scaled = np.asarray(points, np.float64) * (share * (1 << _FRACTION_BITS))
    placed: list[list[int]] = np.rint(np.minimum(np.maximum(scaled, -_LIMIT), _LIMIT)).astype(np.int64).tolist()
    return placed


def _copy_around(plane: Plane, places: list[list[int]], margin: int) -> tuple[Plane, Plane, tuple[int, int]]:
    """A copy of the part of ``plane`` around some places, the part itself, and where it begins."""
    across, down = [place[0] >> _FRACTION_BITS for place in places], [place[1] >> _FRACTION_BITS for place in places]
    left, top = max(0, min(across) - margin), max(0, min(down) - margin)
    seen = plane[top : max(top, max(down) + margin + 1), left : max(left, max(across) + margin + 1)]
    return seen.copy(), seen, (left, top)


def _moved(place: list[int], left: int, top: int) -> tuple[int, int]:
    return place[0] - (left << _FRACTION_BITS), place[1] - (top << _FRACTION_BITS)


def _lay(above: Plane, below: Plane, opacity: float) -> None:
    """Lay a drawn copy over what it is a copy of."""
    cv2.addWeighted(above, opacity, below, 1 - opacity, 0, dst=below)
