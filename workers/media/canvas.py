"""Three planes to draw on: yuv420p as it comes from a decoder, or RGB. Nothing is converted but the colours."""

from collections.abc import Callable
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

    def line(self, points: NDArray[np.float32], rgb: Colour, width: float, opacity: float = 1.0) -> None:
        """A line through ``points`` ``[n, 2]``."""
        for (plane, share), value in zip(self.planes, self.colour(rgb), strict=True):
            thickness = max(1, round(width * share))
            drawn = _fixed(points, share)[None]

            def draw(
                onto: Plane,
                offset: NDArray[np.int32],
                drawn: NDArray[np.int32] = drawn,
                v: int = value,
                t: int = thickness,
            ) -> None:
                cv2.polylines(onto, list(drawn - offset), False, v, t, cv2.LINE_AA, _FRACTION_BITS)

            _blended(plane, drawn[0], thickness + 2, opacity, draw)

    def dot(self, at: Point, rgb: Colour, radius: float, opacity: float = 1.0) -> None:
        """A disc."""
        for (plane, share), value in zip(self.planes, self.colour(rgb), strict=True):
            size = max(1, round(radius * share * (1 << _FRACTION_BITS)))
            centre = _fixed(at[None], share)

            def draw(
                onto: Plane, offset: NDArray[np.int32], c: NDArray[np.int32] = centre, v: int = value, r: int = size
            ) -> None:
                x, y = (c[0] - offset).tolist()
                cv2.circle(onto, (x, y), r, v, -1, cv2.LINE_AA, _FRACTION_BITS)

            _blended(plane, centre, (size >> _FRACTION_BITS) + 2, opacity, draw)

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
            blocks: how many.
            smooth: blend them into each other.
            round_off: keep to the ellipse inside the part.
        """
        for plane, share in self.planes:
            left, right = max(0, int(part.left * share)), min(plane.shape[1], int(part.right * share) + 1)
            top, bottom = max(0, int(part.top * share)), min(plane.shape[0], int(part.bottom * share) + 1)
            if right <= left or bottom <= top:
                continue
            seen = plane[top:bottom, left:right]
            each = max(1.0, min(seen.shape) / blocks)
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


def _fixed(points: NDArray[np.float32], share: float) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point form, kept within what it can draw."""
    scaled = np.round(np.asarray(points, np.float64) * (share * (1 << _FRACTION_BITS)))
    return np.clip(scaled, -_LIMIT, _LIMIT).astype(np.int32)


def _blended(
    plane: Plane,
    around: NDArray[np.int32],
    margin: int,
    opacity: float,
    draw: Callable[[Plane, NDArray[np.int32]], None],
) -> None:
    """Draw on ``plane``, through a copy of the part in question where it is to show through."""
    if opacity >= _OPAQUE:
        draw(plane, np.zeros(2, np.int32))
        return
    left, top = np.maximum((around.min(0) >> _FRACTION_BITS) - margin, 0).tolist()
    right, bottom = ((around.max(0) >> _FRACTION_BITS) + margin + 1).tolist()
    below = plane[top : max(top, bottom), left : max(left, right)]
    if below.size:
        above = below.copy()
        draw(above, np.array([left << _FRACTION_BITS, top << _FRACTION_BITS], np.int32))
        cv2.addWeighted(above, opacity, below, 1 - opacity, 0, dst=below)
