"""What the picture as a whole does: shot cuts and camera motion, from sketches of consecutive frames.

A sketch holds the mean luma of every column and row: a camera that pans shifts them, and a cut changes them and the
colours altogether.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.core.jit import njit

Floats = NDArray[np.float64]
Sketch = NDArray[np.uint8]
"""``[264]``: 128 columns, 72 rows, 64 square roots of colour shares."""

COLUMNS, ROWS, _COLOURS = 128, 72, 64
SKETCH_VALUES = COLUMNS + ROWS + _COLOURS

_CUT_DISTANCE, _CUT_DIFFERENCE = 0.07, 0.4
_SURE_CUT_DIFFERENCE = 0.9
_FURTHEST = 0.15
_BETTER = 0.5
_LEAST_VARIATION = 4.0


class Change(NamedTuple):
    """From one frame to the next."""

    cut: bool
    shift: Floats
    """``[2]`` how far the picture's content moved, in shares of its width and height."""


def compare(before: Sketch, after: Sketch) -> Change:
    """Whether a new shot begins, else how far the camera moved the picture."""
    x, missed_x = _shift(before[:COLUMNS], after[:COLUMNS])
    y, missed_y = _shift(before[COLUMNS : COLUMNS + ROWS], after[COLUMNS : COLUMNS + ROWS])
    a, b = before[COLUMNS + ROWS :] / 255.0, after[COLUMNS + ROWS :] / 255.0
    missed = max(missed_x, missed_y)
    cut = missed > _SURE_CUT_DIFFERENCE or (missed > _CUT_DIFFERENCE and _distance(a, b) > _CUT_DISTANCE)
    return Change(cut, np.zeros(2) if cut else np.array([x, y]))


def _distance(a: Floats, b: Floats) -> float:
    """Hellinger distance of two histograms given as square roots, 0 to 1."""
    return float(np.sqrt(((a - b) ** 2).sum() / 2))


@njit(cache=True, nogil=True)
def _shift(before, after):  # type: ignore[no-untyped-def]
    """Shift that matches two profiles, as a share of their length, and the share of variation it leaves over.

    No shift is 0 unless it explains the difference much better than standing still.
    """
    reach = int(_FURTHEST * len(before))
    left_over = np.empty(2 * reach + 1)
    for step in range(-reach, reach + 1):
        left_over[step + reach] = _left_over(before, after, step)
    best = left_over.argmin()
    if best == reach or left_over[best] > _BETTER * left_over[reach]:
        return 0.0, left_over[reach]
    finer = 0.0
    if 0 < best < 2 * reach:
        low, high = left_over[best - 1], left_over[best + 1]
        bend = low - 2 * left_over[best] + high
        finer = 0.5 * (low - high) / bend if bend > 0 else 0.0
    return (best - reach + finer) / len(before), left_over[best]


@njit(cache=True, nogil=True)
def _left_over(before, after, step):  # type: ignore[no-untyped-def]
    """Mean squared difference when ``before`` is moved by ``step``, beside the variation that there is."""
    first, count = max(0, step), len(before) - abs(step)
    a, b, aa, bb, ab = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(first, first + count):
        x, y = float(before[i - step]), float(after[i])
        a, b, aa, bb, ab = a + x, b + y, aa + x * x, bb + y * y, ab + x * y
    a, b = a / count, b / count
    varied = aa / count - a * a + bb / count - b * b
    differing = varied - 2 * (ab / count - a * b)
    return max(differing, 0.0) / max(varied, _LEAST_VARIATION)
