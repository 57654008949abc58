"""Filters of curves over time: gaps, outliers, zero-phase smoothing. Curves are columns of ``[samples, curves]``.

Filters work on real time: where samples are not evenly spaced they are interpolated to an even grid and back.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import butter, sosfiltfilt

from workers.core.jit import njit

Floats = NDArray[np.float64]
Smoothing = Literal["butterworth", "one-euro", "gaussian", "median", "off"]

_EVEN = 0.05
_FEWEST_SAMPLES = 4
_HIGHEST_SHARE = 0.9
#: One-Euro's speed coefficient and cut-off of the derivative (Casiez, Roussel and Vogel 2012), for pixels.
_BETA, _DERIVATIVE_HZ = 0.007, 1.0


def fill(times: Floats, values: Floats, known: NDArray[np.bool_]) -> Floats:
    """``values`` with straight lines where a sample is not ``known``; the nearest known one beyond the ends.

    Args:
        times: ``[n]`` rising.
        values: ``[n, curves]``.
        known: ``[n, curves]``; a curve without any known sample stays as it is.
    """
    filled = values.copy()
    for curve in np.flatnonzero(~known.all(0) & known.any(0)):
        there = known[:, curve]
        filled[~there, curve] = np.interp(times[~there], times[there], values[there, curve])
    return filled


def runs(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges of ``there`` that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def hampel(values: Floats, half: int, least: Floats, sigmas: float = 3.0) -> Floats:
    """``values`` with the median of ``2 half + 1`` samples where one is further from it than ``sigmas`` of its spread.

    The spread is 1.4826 times the median absolute deviation (Hampel identifier).

    Args:
        values: ``[n, curves]``.
        half: samples on either side.
        least: ``[n]`` spread that is taken for granted.
        sigmas: how far is too far.
    """
    return np.asarray(_hampel(np.ascontiguousarray(values), half, least, sigmas))


@njit(cache=True, nogil=True)
def _hampel(values, half, least, sigmas):  # type: ignore[no-untyped-def]
    clean = values.copy()
    n, curves = values.shape
    window = np.empty(2 * half + 1)
    for curve in range(curves):
        for i in range(n):
            low, high = max(0, i - half), min(n, i + half + 1)
            count = high - low
            if count < 3:
                continue
            for k in range(count):
                window[k] = values[low + k, curve]
            middle = _median(window, count)
            for k in range(count):
                window[k] = abs(values[low + k, curve] - middle)
            spread = max(1.4826 * _median(window, count), least[i])
            if abs(values[i, curve] - middle) > sigmas * spread:
                clean[i, curve] = middle
    return clean


@njit(cache=True, nogil=True)
def _median(window, count):  # type: ignore[no-untyped-def]
    """Median of the first ``count`` values, which are sorted in place (insertion: they are few)."""
    for i in range(1, count):
        value, k = window[i], i - 1
        while k >= 0 and window[k] > value:
            window[k + 1] = window[k]
            k -= 1
        window[k + 1] = value
    middle = count // 2
    return window[middle] if count % 2 else (window[middle - 1] + window[middle]) / 2


def smooth(times: Floats, values: Floats, kind: Smoothing, cutoff_hz: float, order: int = 4) -> Floats:
    """``values`` without what is faster than ``cutoff_hz``, not delayed.

    ``butterworth`` runs a filter of half the order forward and back, its cut-off raised so that both passes together
    have -3 dB at ``cutoff_hz`` (Winter, Biomechanics and Motor Control of Human Movement).  ``gaussian`` has the
    standard deviation with -3 dB there.  ``median`` takes half a period of it.  ``one-euro`` begins at this cut-off
    and raises it with speed; forward and back are averaged.

    Args:
        times: ``[n]`` seconds, rising.
        values: ``[n, curves]``, all finite.
        kind: which filter; ``off`` changes nothing.
        cutoff_hz: frequency of -3 dB.
        order: of the Butterworth filter, even.

    Returns:
        ``[n, curves]``; as they were when there are fewer than four samples or they are too slow for the cut-off.
    """
    if kind == "off" or len(times) < _FEWEST_SAMPLES:
        return values
    steps = np.diff(times)
    step = float(np.median(steps))
    if not allows((len(times) - 1) / (times[-1] - times[0]), cutoff_hz):
        return values
    if np.abs(steps - step).max() <= _EVEN * step:
        return _smooth_even(values, step, kind, cutoff_hz, order)
    grid = np.linspace(times[0], times[-1], max(_FEWEST_SAMPLES, round((times[-1] - times[0]) / step) + 1))
    even = np.stack([np.interp(grid, times, curve) for curve in values.T], -1)
    smoothed = _smooth_even(even, float(grid[1] - grid[0]), kind, cutoff_hz, order)
    return np.stack([np.interp(times, grid, curve) for curve in smoothed.T], -1)


def allows(rate_hz: float, cutoff_hz: float) -> bool:
    """Whether so many samples a second can be smoothed at ``cutoff_hz``."""
    return cutoff_hz < _HIGHEST_SHARE * rate_hz / 2


def _smooth_even(values: Floats, step: float, kind: Smoothing, cutoff_hz: float, order: int) -> Floats:
    if kind == "butterworth":
        each = max(1, order // 2)
        nyquist = 0.5 / step
        raised = min(cutoff_hz / (2**0.5 - 1) ** (0.5 / each), 0.99 * nyquist)
        sections = butter(each, raised / nyquist, output="sos")
        return np.asarray(sosfiltfilt(sections, values, axis=0, padlen=min(len(values) - 1, _padding(step, cutoff_hz))))
    if kind == "gaussian":
        return np.asarray(gaussian_filter1d(values, np.sqrt(np.log(2)) / (2 * np.pi * cutoff_hz * step), axis=0))
    if kind == "median":
        half = max(1, round(0.25 / (cutoff_hz * step)))
        return np.asarray(median_filter(values, size=(2 * half + 1, 1), mode="nearest"))
    forward = _one_euro(values, step, cutoff_hz, _BETA, _DERIVATIVE_HZ)
    return np.asarray((forward + _one_euro(values[::-1].copy(), step, cutoff_hz, _BETA, _DERIVATIVE_HZ)[::-1]) / 2)


def _padding(step: float, cutoff_hz: float) -> int:
    """Samples of a period of the cut-off: after them the filter has forgotten its start."""
    return max(9, int(np.ceil(1 / (cutoff_hz * step))))


@njit(cache=True, nogil=True)
def _one_euro(values, step, cutoff_hz, beta, derivative_hz):  # type: ignore[no-untyped-def]
    smoothed = values.copy()
    slow = 1 / (1 + 1 / (2 * np.pi * derivative_hz * step))
    for curve in range(values.shape[1]):
        speed = 0.0
        for i in range(1, len(values)):
            speed += slow * ((values[i, curve] - smoothed[i - 1, curve]) / step - speed)
            share = 1 / (1 + 1 / (2 * np.pi * (cutoff_hz + beta * abs(speed)) * step))
            smoothed[i, curve] = smoothed[i - 1, curve] + share * (values[i, curve] - smoothed[i - 1, curve])
    return smoothed
