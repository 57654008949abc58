"""After tracking: fill short gaps, remove outliers, smooth, track by track."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workers.core.filters import Floats, Smoothing, fill, hampel, runs, smooth
from workers.core.rows import TrackRows

_SURE = 0.15
_LEAST_SPREAD = 0.004
_FEWEST_SAMPLES, _MOST_SAMPLES = 2, 10
"""On either side of an outlier: with fewer, quick motion looks like one."""


@dataclass(frozen=True)
class CleaningRules:
    """What is done to the curves of a track."""

    max_gap_s: float = 0.5
    """Longest time without a pose that is filled."""
    outliers: bool = True
    """Replace single samples that jump (Hampel)."""
    outlier_window_s: float = 0.1
    """Time looked at on either side."""
    smoothing: Smoothing = "butterworth"
    cutoff_hz: float = 6.0
    order: int = 4

    @property
    def changes(self) -> bool:
        """Whether anything but gaps is touched."""
        return self.outliers or self.smoothing != "off"

    @property
    def margin_s(self) -> float:
        """Time beyond which what happens does not show any more."""
        return self.max_gap_s + 3.0 + 4.0 / self.cutoff_hz


def clean(rows: TrackRows, first_frame: int, times: Floats, rules: CleaningRules) -> TrackRows:
    """Rows of all tracks, cleaned, and what lies in their short gaps.

    Args:
        rows: in any order; a track has one row per frame at most.
        first_frame: index of the first frame of ``times``.
        times: ``[frames]`` times of consecutive frames, seconds, that cover the rows.
        rules: what to do.

    Returns:
        Rows by frame, then track.
    """
    by_track = rows.pick(np.lexsort((rows.frames, rows.tracks)))
    parts = []
    for one in by_track.split(by_track.tracks):
        for low, high in _stretches(one, rules.max_gap_s):
            parts.append(_clean_stretch(one.pick(slice(low, high)), first_frame, times, rules))
    return TrackRows.joined(parts).ordered()


def _stretches(one: TrackRows, max_gap_s: float) -> list[tuple[int, int]]:
    """Ranges of rows of one track without a gap that is too long to be filled."""
    apart = (np.diff(one.times) > max_gap_s) & (np.diff(one.frames) > 1)
    edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(one)]
    return list(pairwise(edges))


def _clean_stretch(one: TrackRows, first_frame: int, times: Floats, rules: CleaningRules) -> TrackRows:
    whole = _every_frame(one, first_frame, times)
    if not rules.changes:
        return whole
    values = np.concatenate([whole.keypoints[..., :2].reshape(len(whole), -1), whole.boxes], -1).astype(np.float64)
    sure = np.repeat(np.nan_to_num(whole.keypoints[..., 2]) >= _SURE, 2, axis=1)
    sure = np.concatenate([sure, np.ones((len(whole), 4), bool)], -1) & np.isfinite(values)
    sizes = np.sqrt(np.nan_to_num(np.abs(whole.boxes[:, 2:].astype(np.float64)).prod(-1)).clip(min=1.0))
    cleaned = _clean_curves(whole.times, values, sure, sizes, rules).astype(np.float32)
    keypoints = whole.keypoints.copy()
    keypoints[..., :2] = cleaned[:, :-4].reshape(len(whole), -1, 2)
    return TrackRows(
        whole.frames, whole.times, whole.tracks, whole.scores, cleaned[:, -4:], keypoints, whole.interpolated
    )


def _every_frame(one: TrackRows, first_frame: int, times: Floats) -> TrackRows:
    """One row for each frame from the first to the last; those that were not there lie on straight lines."""
    frames = np.arange(one.frames[0], one.frames[-1] + 1)
    there = np.zeros(len(frames), bool)
    there[one.frames - one.frames[0]] = True
    if there.all():
        return one
    at = times[frames - first_frame]
    values = np.concatenate([one.scores[:, None], one.boxes, one.keypoints.reshape(len(one), -1)], -1)
    between = np.stack([np.interp(at, one.times, curve) for curve in values.T.astype(np.float64)], -1)
    between[there] = values
    between = between.astype(np.float32)
    tracks = np.full(len(frames), one.tracks[0], np.int32)
    points = between[:, 5:].reshape(-1, 17, 3)
    return TrackRows(frames, at, tracks, between[:, 0], between[:, 1:5], points, ~there)


def _clean_curves(
    times: Floats, values: Floats, sure: NDArray[np.bool_], sizes: Floats, rules: CleaningRules
) -> Floats:
    """Curves ``[n, curves]`` cleaned where they are sure; short stretches that are not are filled, long ones kept."""
    cleaned = values.copy()
    plain = sure.all(0)
    if plain.any():
        cleaned[:, plain] = _clean_sure(times, values[:, plain], sizes, rules)
    for curve in np.flatnonzero(~plain):
        there = sure[:, curve].copy()
        for start, stop in runs(~there):
            inside = start > 0 and stop < len(times)
            there[start:stop] = inside and times[stop] - times[start - 1] <= rules.max_gap_s
        filled = fill(times, values[:, [curve]], sure[:, [curve]])
        for start, stop in runs(there):
            part = slice(start, stop)
            cleaned[part, curve] = _clean_sure(times[part], filled[part], sizes[part], rules)[:, 0]
    return cleaned


def _clean_sure(times: Floats, values: Floats, sizes: Floats, rules: CleaningRules) -> Floats:
    if rules.outliers and len(times) > 2:
        step = float(times[-1] - times[0]) / (len(times) - 1)
        half = min(round(rules.outlier_window_s / step), _MOST_SAMPLES)
        if half >= _FEWEST_SAMPLES:
            values = hampel(values, half, _LEAST_SPREAD * sizes)
    return smooth(times, values, rules.smoothing, rules.cutoff_hz, rules.order)
