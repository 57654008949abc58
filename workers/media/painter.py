"""Paint people in the chosen styles; see `schema.styles`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from schema.kinematics import ANGLES
from schema.skeleton import KEYPOINTS, LIMBS, side_of
from workers.core.kinematics import angles_of
from workers.media.canvas import Canvas, Colour, Part
from workers.media.history import TRAIL_S, DrawnPerson, History

SIDE_RGB: dict[str, Colour] = {"left": (0, 200, 255), "right": (255, 140, 0), "middle": (120, 255, 120)}
_PEOPLE_RGB: tuple[Colour, ...] = (
    (230, 60, 60),
    (60, 140, 240),
    (60, 190, 90),
    (240, 190, 40),
    (170, 90, 220),
    (40, 200, 200),
    (240, 120, 180),
    (150, 150, 60),
)
_LIMB_RGB = {limb: SIDE_RGB[side_of(limb)] for limb in (*LIMBS, *((index, index) for index in range(len(KEYPOINTS))))}
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LEAST, _FULL, _FAINT = 0.2, 0.5, 0.3
"""Confidence from which a keypoint is drawn, from which it is opaque, and opacity of the least one."""
_STEPS = 6
_HEAT_RATE = 15.0
"""Per second that a keypoint stays in a cell: who walks by leaves a haze, who stands still a bright spot."""
_WRITTEN = tuple(
    (ANGLES.index(f"{side}_{joint}"), KEYPOINTS.index(f"{side}_{joint}"))
    for side in ("left", "right")
    for joint in ("elbow", "shoulder", "hip", "knee")
)
_FACE = slice(0, 5)
_SHOULDERS = slice(5, 7)
_GUESSED = 0.05
_SKELETONS = frozenset({"overlay", "black", "side-by-side", "angles"})
_LABELS = _SKELETONS | {"boxes", "trails"}
_HIDING = frozenset({"blur-faces", "pixelate-people"})
_REMEMBERING = frozenset({"trails", "heatmap"})


def person_rgb(track_id: int | None) -> Colour:
    """The colour of a track, the same in every frame and video."""
    return _PEOPLE_RGB[((track_id or 1) - 1) % len(_PEOPLE_RGB)]


@dataclass(frozen=True)
class Painter:
    """Paints one frame after the other."""

    styles: frozenset[str]
    scale: tuple[float, float] = (1.0, 1.0)
    """Pixels of the canvas for one of the picture as displayed, across and down."""

    @property
    def remembers(self) -> bool:
        """Whether a frame looks different for what was before it."""
        return bool(self.styles & _REMEMBERING)

    @property
    def hides(self) -> bool:
        """Whether people are made unrecognisable."""
        return bool(self.styles & _HIDING)

    @property
    def columns(self) -> int:
        """How many pictures stand side by side."""
        return 2 if "side-by-side" in self.styles else 1

    def paint(self, canvas: Canvas, people: Iterable[DrawnPerson], history: History | None = None) -> None:
        """Paint ``people``, in pixels of the picture as displayed; a wide canvas has the picture in its left half."""
        everybody = [self._scaled(one) for one in people]
        whole = canvas
        if self.columns == 2:
            whole = canvas.part(0, canvas.width // 2)
        self._hide(whole, everybody)
        if self.columns == 2:
            right = canvas.part(canvas.width // 2, canvas.width)
            right.take(whole)
            whole = right
        if "black" in self.styles:
            whole.fill(_BLACK)
        self._draw(whole, everybody, history)

    def _scaled(self, person: DrawnPerson) -> DrawnPerson:
        if self.scale == (1.0, 1.0):
            return person
        keypoints = person.keypoints.copy()
        keypoints[:, :2] *= self.scale
        box = np.asarray(person.box * (*self.scale, *self.scale), np.float32)
        return replace(person, keypoints=keypoints, box=box)

    def _hide(self, canvas: Canvas, people: list[DrawnPerson]) -> None:
        for person in people:
            if "pixelate-people" in self.styles:
                canvas.coarsen(_around(person.box), 8, smooth=False, round_off=False)
            if "blur-faces" in self.styles:
                canvas.coarsen(head_of(person), 4, smooth=True, round_off=True)

    def _draw(self, canvas: Canvas, people: list[DrawnPerson], history: History | None) -> None:
        """Skeletons above trails, labels above all, so that no limb covers a number."""
        pen = max(2, round(max(canvas.height, canvas.width) / 320))
        if history is not None and "heatmap" in self.styles:
            _heat(canvas, history)
        if history is not None and "trails" in self.styles:
            self._trails(canvas, history, pen)
        for person in people:
            if "boxes" in self.styles:
                canvas.box(person.box, person_rgb(person.track_id), pen)
            if self.styles & _SKELETONS:
                _skeleton(canvas, person, pen)
        for person in people:
            if "angles" in self.styles:
                _angles(canvas, person, pen)
            if person.track_id is not None and self.styles & _LABELS:
                at = np.array([person.box[0] + person.box[2] / 2, person.box[1] - 2 * pen], np.float32)
                canvas.text(str(person.track_id), at, pen, _WHITE, person_rgb(person.track_id))

    def _trails(self, canvas: Canvas, history: History, pen: int) -> None:
        """The older, the fainter."""
        for trail in history.trails():
            points, colour = trail.points * np.array(self.scale, np.float32), person_rgb(trail.track_id)
            step = np.minimum(trail.ages * _STEPS / TRAIL_S, _STEPS - 1).astype(int)
            for number in range(_STEPS - 1, -1, -1):
                chosen = np.flatnonzero(step == number)
                if len(chosen):
                    piece = points[chosen[0] : chosen[-1] + 2]
                    canvas.line(piece, colour, pen, 1.0 - number / _STEPS)


def _skeleton(canvas: Canvas, person: DrawnPerson, pen: int) -> None:
    """Limbs in the colours of their sides, joints in the person's colour; the less sure, the fainter."""
    confidence = np.nan_to_num(person.keypoints[:, 2])
    sure: list[bool] = (confidence >= _LEAST).tolist()
    opacity: list[float] = np.clip(confidence / _FULL, _FAINT, 1.0).tolist()
    limbs = [limb for limb in LIMBS if sure[limb[0]] and sure[limb[1]]]
    joints = [index for index, seen in enumerate(sure) if seen]
    ends = person.keypoints[np.array(limbs, np.intp).reshape(-1, 2), :2]
    canvas.lines(ends, [_LIMB_RGB[limb] for limb in limbs], pen, [min(opacity[a], opacity[b]) for a, b in limbs])
    colours = [_LIMB_RGB[index, index] if person.track_id is None else person_rgb(person.track_id) for index in joints]
    canvas.dots(person.keypoints[joints, :2], colours, 1.3 * pen, [opacity[index] for index in joints])


def _angles(canvas: Canvas, person: DrawnPerson, pen: int) -> None:
    """Elbows, shoulders, hips and knees in degrees."""
    found = angles_of(person.keypoints[None])[0]
    size = float(np.clip(person.box[3] / 300, 0.5 * pen, pen))
    for angle, joint in _WRITTEN:
        if np.isfinite(found[angle]):
            outward = float(np.sign(person.keypoints[joint, 0] - person.middle[0])) or 1.0
            at = person.keypoints[joint, :2] + np.array((3 * pen * outward, pen), np.float32)
            canvas.text(f"{found[angle]:.0f}", at, size, _WHITE, None, anchor=0.5 - outward / 2)


def _heat(canvas: Canvas, history: History) -> None:
    share = 1 - np.exp(-_HEAT_RATE * history.heat())
    colours = cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    canvas.tint(np.ascontiguousarray(colours), np.asarray(0.75 * share, np.float32))


def head_of(person: DrawnPerson) -> Part:
    """Where the head is, rather too large than too small: from the face, else from the shoulders, else from the box."""
    face, shoulders = _seen(person.keypoints[_FACE]), _seen(person.keypoints[_SHOULDERS])
    x, y, across, down = (float(value) for value in person.box)
    width = float(np.hypot(*(shoulders[0] - shoulders[1]))) if len(shoulders) == 2 else 0.0
    spread = float(np.linalg.norm(face[:, None] - face[None], axis=-1).max(initial=0.0))
    radius = max(0.9 * spread, 0.45 * width, 0.07 * max(across, down))
    if len(face):
        centre = face.mean(0)
    elif len(shoulders):
        centre = shoulders.mean(0) - np.array((0, 1.3 * radius), np.float32)
    else:
        centre = np.array([x + across / 2, y + radius], np.float32)
    left, top, high = centre[0] - radius, centre[1] - 1.5 * radius, centre[1] + 1.4 * radius
    return Part(int(left), int(top), int(centre[0] + radius) + 1, int(high) + 1)


def _seen(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points[(np.nan_to_num(points[:, 2]) >= _GUESSED) & np.isfinite(points[:, :2]).all(1), :2]


def _around(box: NDArray[np.float32]) -> Part:
    """A box and a tenth more on each side."""
    x, y, across, down = (float(value) for value in box)
    return Part(int(x - 0.1 * across), int(y - 0.1 * down), int(x + 1.1 * across) + 1, int(y + 1.1 * down) + 1)
