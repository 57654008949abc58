"""Synthetic scenes with ground truth: walkers, and what a pose model that misses, jitters and merges makes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.core.poses import FramePoses

WIDTH, HEIGHT = 1280, 720
_LEAST_VISIBLE = 0.3

#: A standing person of height 1, origin between the ankles, y down: x, y of the 17 keypoints.
_STANDING = np.array(
    [(0.03, -0.93), (0.05, -0.95), (0.01, -0.95), (0.05, -0.94), (-0.03, -0.94), (0.10, -0.81), (-0.10, -0.81)]
    + [(0.13, -0.63), (-0.13, -0.63), (0.14, -0.47), (-0.14, -0.47), (0.07, -0.50), (-0.07, -0.50)]
    + [(0.07, -0.27), (-0.07, -0.27), (0.07, -0.03), (-0.07, -0.03)]
)
_LEFT_LEG, _RIGHT_LEG, _LEFT_ARM, _RIGHT_ARM = (13, 15), (14, 16), (7, 9), (8, 10)
Path = Callable[[float], tuple[float, float] | None]


@dataclass(frozen=True)
class Person:
    """One person: where the feet are at a time (none while away), how tall, in pixels."""

    path: Path
    height: float = 220.0
    steps_per_s: float = 1.0
    """Full gait cycles."""

    def keypoints(self, time_s: float) -> NDArray[np.float64] | None:
        """``[17, 2]`` true keypoints, pixels."""
        if (feet := self.path(time_s)) is None:
            return None
        swing = 0.12 * np.sin(2 * np.pi * self.steps_per_s * time_s)
        points = _STANDING.copy()
        for limb, sign in ((_LEFT_LEG, 1), (_RIGHT_LEG, -1), (_LEFT_ARM, -1), (_RIGHT_ARM, 1)):
            points[limb[0], 0] += sign * swing / 2
            points[limb[1], 0] += sign * swing
        return np.asarray(points * self.height + feet)


@dataclass(frozen=True)
class Scene:
    """A video as a tracker sees it, and the truth."""

    name: str
    times: NDArray[np.float64]
    detections: list[FramePoses]
    truth: list[FramePoses]
    ids: list[NDArray[np.int64]]
    """``[people]`` per frame: whose ``truth`` it is."""
    size: tuple[int, int] = (WIDTH, HEIGHT)
    cuts: tuple[int, ...] = ()
    """Frames that begin a new shot."""
    sketches: list[NDArray[np.uint8]] | None = None
    """What the frames look like, where there are pictures."""


@dataclass(frozen=True)
class Camera:
    """What happens to the picture and what the pose model makes of it."""

    fps: float = 30.0
    seconds: float = 6.0
    pan: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0)
    walls: tuple[tuple[float, float], ...] = ()
    """Left and right of pillars that hide whoever is behind."""
    drop: float = 0.0
    """Share of frames that the video lost; the times of the others stay."""
    jitter: float = 0.012
    """Noise of a keypoint, of the person's height."""
    miss: float = 0.03
    false: float = 0.02


def film(name: str, people: list[Person], camera: Camera, seed: int = 0) -> Scene:
    """The scene of ``people`` before ``camera``."""
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    times = np.arange(round(camera.seconds * camera.fps)) / camera.fps
    times = times[(rng.random(len(times)) >= camera.drop) | (times == 0)]
    detections, truth, ids = [], [], []
    for time_s in times:
        whose, points = _visible(people, camera, float(time_s))
        detections.append(_detected(points, camera, rng))
        seen = [i for i, (_, share) in enumerate(points) if share >= _LEAST_VISIBLE]
        truth.append(_poses([points[i][0] for i in seen], np.ones(len(seen)), np.ones((len(seen), 17))))
        ids.append(np.array([whose[i] for i in seen], np.int64))
    return Scene(name, times, detections, truth, ids)


def edited(name: str, shots: list[Scene]) -> Scene:
    """``shots`` one after the other: nobody of one is in the next."""
    times, detections, truth, ids, cuts = [np.zeros(0)], [], [], [], []
    for number, shot in enumerate(shots):
        after = times[-1][-1] + 1 / 30 if len(times[-1]) else 0.0
        cuts.append(len(detections))
        times.append(shot.times + after)
        detections += shot.detections
        truth += shot.truth
        ids += [who + 1000 * number for who in shot.ids]
    return Scene(name, np.concatenate(times), detections, truth, ids, cuts=tuple(cuts[1:]))


def _visible(
    people: list[Person], camera: Camera, time_s: float
) -> tuple[list[int], list[tuple[NDArray[np.float64], float]]]:
    """Who is in the picture, nearest last: identity, keypoints and the share that can be seen."""
    found = []
    for index, person in enumerate(people):
        points = person.keypoints(time_s)
        if points is not None:
            found.append((index, points - camera.pan(time_s)))
    found.sort(key=lambda one: float(one[1][:, 1].max()))
    shares = []
    for rank, (_, points) in enumerate(found):
        hidden = (points[:, 0] < 0) | (points[:, 0] >= WIDTH) | (points[:, 1] < 0) | (points[:, 1] >= HEIGHT)
        for low, high in camera.walls:
            hidden |= (points[:, 0] >= low) & (points[:, 0] < high)
        for _, nearer in found[rank + 1 :]:
            low, high = nearer[[5, 6]].min(0), nearer.max(0)
            hidden |= (points[:, 0] > low[0]) & (points[:, 0] < high[0]) & (points[:, 1] < high[1])
        shares.append(1.0 - hidden.mean())
    return [who for who, _ in found], [(points, share) for (_, points), share in zip(found, shares, strict=True)]


def _detected(points: list[tuple[NDArray[np.float64], float]], camera: Camera, rng: np.random.Generator) -> FramePoses:
    """What the pose model says: jitter, low scores where little is seen, misses, and things that are no people."""
    found, scores, confidences = [], [], []
    for true, share in points:
        height = float(np.ptp(true[:, 1])) / 0.92
        score = np.clip(rng.normal(0.62, 0.06) * share**1.5, 0.0, 1.0)
        if rng.random() < camera.miss or rng.random() > 4 * share - 0.4:
            continue
        noise = camera.jitter * height * (1 + 1.5 * (1 - share))
        found.append(true + rng.normal(0, noise, true.shape))
        scores.append(score)
        confidences.append(np.clip(rng.normal(0.7, 0.12, 17) * (0.4 + 0.6 * share), 0.02, 0.99))
    if rng.random() < camera.false:
        at = rng.random(2) * (WIDTH, HEIGHT)
        found.append(_STANDING * 180 + at)
        scores.append(rng.uniform(0.1, 0.3))
        confidences.append(rng.uniform(0.05, 0.4, 17))
    order = np.argsort(-np.array(scores, float), kind="stable")
    return _poses([found[i] for i in order], np.array(scores)[order], np.array(confidences).reshape(-1, 17)[order])


def _poses(points: list[NDArray[np.float64]], scores: NDArray[np.float64], conf: NDArray[np.float64]) -> FramePoses:
    xy = np.array(points, np.float32).reshape(-1, 17, 2)
    keypoints = np.concatenate([xy, conf.astype(np.float32).reshape(-1, 17, 1)], -1)
    low, high = (xy.min(1), xy.max(1)) if len(xy) else (np.zeros((0, 2)), np.zeros((0, 2)))
    pad = 0.05 * (high - low)
    boxes = np.concatenate([low - pad, high - low + 2 * pad], -1).astype(np.float32)
    return FramePoses(keypoints, boxes, np.asarray(scores, np.float32))


def line(start: float, speed: float, y: float = 600.0, away: tuple[float, float] | None = None) -> Path:
    """Walk along a line, pixels per second; nowhere to be seen from ``away[0]`` to ``away[1]`` seconds."""

    def path(time_s: float) -> tuple[float, float] | None:
        if away and away[0] <= time_s < away[1]:
            return None
        return start + speed * time_s, y

    return path


def there_and_back(start: float, speed: float, turn_s: float, y: float = 600.0) -> Path:
    """Walk until ``turn_s``, then back."""
    return lambda time_s: (start + speed * (turn_s - abs(time_s - turn_s)), y)


def wander(rng: np.random.Generator) -> Path:
    """A smooth curve across the picture."""
    x, y = rng.uniform(150, WIDTH - 150), rng.uniform(420, 690)
    wave = rng.uniform(100, 300), rng.uniform(0.05, 0.12), rng.uniform(0, 6.28)
    slow = rng.uniform(10, 60), rng.uniform(0.05, 0.15), rng.uniform(0, 6.28)
    return lambda t: (
        x + wave[0] * np.sin(6.28 * wave[1] * t + wave[2]),
        y + slow[0] * np.sin(6.28 * slow[1] * t + slow[2]),
    )


def _shaken(time_s: float) -> tuple[float, float]:
    """A camera that swings and shakes."""
    shake = 14 * np.sin(2 * np.pi * 3.1 * time_s), 9 * np.sin(2 * np.pi * 4.3 * time_s)
    return 260 * np.sin(2 * np.pi * 0.35 * time_s) + shake[0], shake[1]


_CROSSING = [Person(line(150, 160)), Person(line(1130, -160, 615), height=225)]


def crossings(seed: int = 0) -> list[Scene]:
    """People who walk past each other, in several ways."""
    three = [*_CROSSING, Person(line(80, 210, 560), height=200)]
    beside = [Person(line(100, 140, 600)), Person(line(110, 175, 618), height=230)]
    return [
        film("crossing", _CROSSING, Camera(), seed),
        film("crossing of three", three, Camera(), seed),
        film("overtaking", beside, Camera(), seed),
        film("crossing at 10 fps", _CROSSING, Camera(fps=10), seed),
        film("crossing at 60 fps", _CROSSING, Camera(fps=60), seed),
        film("crossing, dropped frames", _CROSSING, Camera(drop=0.35), seed),
    ]


def scenes(seed: int = 0) -> list[Scene]:
    """All scenes; another ``seed`` gives other noise and another crowd."""
    rng = np.random.default_rng(4 + seed)
    crowd = [Person(wander(rng), height=rng.uniform(150, 230), steps_per_s=rng.uniform(0.8, 1.2)) for _ in range(8)]
    pillar = [Person(line(120, 190)), Person(line(1150, -150, 640), height=240)]
    leaving = [Person(there_and_back(900, 170, 3.2)), Person(line(200, 60, 620))]
    panned = [Person(line(300, 60)), Person(line(700, -40, 620)), Person(line(500, 30, 560), height=190)]
    wide = [Person(line(200, 60)), Person(line(600, -50, 620)), Person(line(800, 40, 580), height=200)]
    close = [Person(line(520, 30, 800), height=560), Person(line(900, -40, 820), height=540)]
    other = [Person(line(310, 60, 650)), Person(line(980, -50, 600)), Person(line(640, 20, 560), height=170)]
    shots = [film("wide", wide, Camera(seconds=2), seed), film("close", close, Camera(seconds=2), seed)]
    shots += [film("other", other, Camera(seconds=2), seed), film("wide", wide, Camera(seconds=1.5), seed)]
    return [
        *crossings(seed),
        film("crowd", crowd, Camera(seconds=10), seed),
        film("behind a pillar", pillar, Camera(walls=((520, 720),)), seed),
        film("leaving and returning", leaving, Camera(seconds=7), seed),
        film("camera pan", panned, Camera(pan=_shaken), seed),
        edited("shot cuts", shots),
        film("walk at 10 fps", panned, Camera(fps=10, jitter=0.015), seed),
    ]
