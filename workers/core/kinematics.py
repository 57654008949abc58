"""Angles of joints and segments, speeds and repetitions, in the plane of the picture."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schema.kinematics import ANGLES
from schema.skeleton import KEYPOINTS
from workers.core.rows import TrackRows

Floats = NDArray[np.float64]

_SURE = 0.2
_LONGEST_STEP_S = 0.25
_INDEX = {name: index for index, name in enumerate(KEYPOINTS)}

#: Joints: outer, joint, outer, and whether a straight joint is 0 degrees (flexion) or the angle itself is told.
_JOINTS = {
    "elbow": ("shoulder", "elbow", "wrist", True),
    "shoulder": ("hip", "shoulder", "elbow", False),
    "hip": ("shoulder", "hip", "knee", True),
    "knee": ("hip", "knee", "ankle", True),
}


@dataclass(frozen=True)
class Kinematics:
    """Of the rows of a track table."""

    angles: NDArray[np.float32]
    """``[rows, 14]`` degrees, in the order of `schema.kinematics.ANGLES`; NaN where a keypoint is not sure."""
    speeds: NDArray[np.float32]
    """``[rows]`` of the middle of the hips, else of the box, pixels per second; NaN at a lone row."""
    body_speeds: NDArray[np.float32]
    """``[rows]`` the same in heights of the box per second."""

    def pick(self, rows: NDArray[np.bool_]) -> "Kinematics":
        """Some of the rows."""
        return Kinematics(self.angles[rows], self.speeds[rows], self.body_speeds[rows])


def kinematics(rows: TrackRows) -> Kinematics:
    """Angles and speeds of ``rows``, which are in order of frame."""
    speeds = _speeds(rows)
    heights = rows.boxes[:, 3].astype(np.float64)
    body = np.divide(speeds, heights, out=np.full(len(rows), np.nan), where=heights > 0)
    return Kinematics(angles_of(rows.keypoints), speeds.astype(np.float32), body.astype(np.float32))


def angles_of(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Angles of people.

    Elbow, hip and knee are flexion: 0 when straight, more when bent, 180 at most.  The shoulder is the angle between
    trunk and upper arm, 0 when the arm hangs.  Shank, trunk and head are inclinations from the vertical, positive when
    the upper end leans to the right of the picture; shoulders and pelvis are inclinations of the line from the right
    to the left side from the horizontal, positive when the end further to the right of the picture is higher.

    Args:
        keypoints: ``[people, 17, 3]`` x, y, confidence.

    Returns:
        ``[people, 14]`` degrees, NaN where a keypoint that takes part has a confidence below 0.2.
    """
    points = keypoints[..., :2].astype(np.float64)
    points[~(keypoints[..., 2] >= _SURE)] = np.nan
    found = {}
    for side in ("left", "right"):
        for joint, (a, b, c, flexion) in _JOINTS.items():
            inner = _between(*(points[:, _INDEX[f"{side}_{part}"]] for part in (a, b, c)))
            found[f"{side}_{joint}"] = 180 - inner if flexion else inner
        found[f"{side}_shank"] = _lean(points[:, _INDEX[f"{side}_ankle"]], points[:, _INDEX[f"{side}_knee"]])
    shoulders = [points[:, _INDEX[f"{side}_shoulder"]] for side in ("left", "right")]
    hips = [points[:, _INDEX[f"{side}_hip"]] for side in ("left", "right")]
    ears = [points[:, _INDEX[f"{side}_ear"]] for side in ("left", "right")]
    neck, pelvis, head = _middle(shoulders), _middle(hips), _middle(ears)
    head = np.where(np.isfinite(head), head, points[:, _INDEX["nose"]])
    found["trunk"], found["head"] = _lean(pelvis, neck), _lean(neck, head)
    found["shoulders"], found["pelvis"] = _tilt(*shoulders), _tilt(*hips)
    return np.stack([found[name] for name in ANGLES], -1).astype(np.float32)


def _middle(pair: list[Floats]) -> Floats:
    return (pair[0] + pair[1]) / 2


def _between(a: Floats, joint: Floats, c: Floats) -> Floats:
    """Angle at ``joint``, 0 to 180 degrees."""
    u, v = a - joint, c - joint
    cross, dot = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(-1)
    return np.asarray(np.degrees(np.arctan2(np.abs(cross), dot)))


def _lean(low: Floats, high: Floats) -> Floats:
    """Angle of the line from ``low`` to ``high`` from straight up; the picture's y points down."""
    return np.asarray(np.degrees(np.arctan2(high[:, 0] - low[:, 0], low[:, 1] - high[:, 1])))


def _tilt(a: Floats, b: Floats) -> Floats:
    """Angle of a line from the horizontal, -90 to 90 degrees."""
    run, rise = np.abs(a[:, 0] - b[:, 0]), np.where(a[:, 0] > b[:, 0], b[:, 1] - a[:, 1], a[:, 1] - b[:, 1])
    return np.asarray(np.degrees(np.arctan2(rise, run)))


def _speeds(rows: TrackRows) -> Floats:
    """Speed by central differences of neighbouring rows of a track, one-sided at the ends of a stretch."""
    hips = rows.keypoints[:, [_INDEX["left_hip"], _INDEX["right_hip"]]].astype(np.float64)
    centres = rows.boxes[:, :2] + rows.boxes[:, 2:].astype(np.float64) / 2
    sure = np.asarray((hips[..., 2] >= _SURE).all(1))
    order = np.lexsort((rows.frames, rows.tracks))
    places = np.where(sure[:, None], hips[..., :2].mean(1), centres)[order]
    tracks, times, kinds = rows.tracks[order], rows.times[order], sure[order]
    joined = (tracks[1:] == tracks[:-1]) & (np.diff(times) <= _LONGEST_STEP_S) & (kinds[1:] == kinds[:-1])
    before, after = np.arange(len(rows)), np.arange(len(rows))
    before[1:] -= joined
    after[:-1] += joined
    elapsed = times[after] - times[before]
    way = np.linalg.norm(places[after] - places[before], axis=-1)
    speeds = np.full(len(rows), np.nan)
    speeds[order] = np.divide(way, elapsed, out=np.full(len(rows), np.nan), where=elapsed > 0)
    return speeds


@dataclass
class Repetitions:
    """Counts how often an angle went up and down again by at least ``least`` degrees, track by track."""

    angle: str
    least: float = 30.0
    _states: dict[int, "_Swing"] = field(default_factory=dict)

    def add(self, rows: TrackRows, angles: NDArray[np.float32]) -> None:
        """Take the next rows and their angles, in order of frame."""
        values = angles[:, ANGLES.index(self.angle)]
        for track, value in zip(rows.tracks.tolist(), values.tolist(), strict=True):
            if value == value:
                self._states.setdefault(track, _Swing(value, value)).add(value, self.least)

    def count(self, track: int) -> int:
        """Whole repetitions of a track: there and back."""
        swing = self._states.get(track)
        return swing.turns // 2 if swing else 0


@dataclass
class _Swing:
    """A curve followed from turn to turn; a turn counts once the curve has come back by enough."""

    lowest: float
    highest: float
    rising: bool | None = None
    turns: int = 0

    def add(self, value: float, least: float) -> None:
        self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
        if self.rising is not False and value <= self.highest - least:
            self._turn(value, rising=False)
        elif self.rising is not True and value >= self.lowest + least:
            self._turn(value, rising=True)

    def _turn(self, value: float, *, rising: bool) -> None:
        self.turns += 1
        self.rising = rising
        self.lowest = self.highest = value
