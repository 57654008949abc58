"""What a frame looks like in a few bytes: enough to see shot cuts and camera motion."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.core.camera import COLUMNS, ROWS, SKETCH_VALUES, Sketch

_SHADES = 4


def sketch_of(rgb: NDArray[np.uint8]) -> Sketch:
    """Mean luma of each of 128 columns and 72 rows, then a colour histogram of 4 x 4 x 4 shades: uint8 ``[264]``.

    Args:
        rgb: the picture at any size, uint8 ``[height, width, 3]``.
    """
    small = cv2.resize(rgb, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    shades = cv2.calcHist([small], [0, 1, 2], None, [_SHADES] * 3, [0, 256] * 3).ravel()
    shares = shades.astype(np.float64) / (COLUMNS * ROWS)
    columns, rows = cv2.reduce(luma, 0, cv2.REDUCE_AVG).ravel(), cv2.reduce(luma, 1, cv2.REDUCE_AVG).ravel()
    sketch = np.concatenate([columns, rows, np.round(255 * np.sqrt(shares)).astype(np.uint8)])
    assert sketch.shape == (SKETCH_VALUES,)
    return sketch
