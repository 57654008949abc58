"""Turn the four head maps of single-pose MoveNet into keypoints, a batch of crops at a time.

The person is the cell with the highest centre score, weighted by 1 / (distance from the crop's middle + 1.8 cells);
a keypoint is the cell with the highest heatmap value, weighted the same way by the distance from where the person's
cell says it is.  Where the keypoints are expected from elsewhere, that distance counts as well, which settles whose
keypoints are taken when people overlap.
"""

import numpy as np
from numba import njit

from workers.core.heads import Floats, SingleHeads

_KEYPOINTS = 17
_NEAR = np.float32(1.7998046875)


def decode_single(heads: SingleHeads, expected: Floats | None = None) -> Floats:
    """Keypoints of the person of each crop.

    Args:
        heads: maps of ``n`` crops.
        expected: ``[n, 17, 2]`` (y, x) in 0..1 of the crop, or none for the stock graph's result.

    Returns:
        ``[n, 17, 3]`` (y, x, confidence), 0..1 of the crop.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    n, h, w, _ = heads.center.shape
    for name, value, depth in zip(SingleHeads._fields, heads, (1, 17, 34, 34), strict=True):
        if value.shape != (n, h, w, depth):
            raise ValueError(f"{name} is {value.shape}, expected {(n, h, w, depth)}")
    if expected is not None and expected.shape != (n, _KEYPOINTS, 2):
        raise ValueError(f"expected keypoints are {expected.shape}, expected {(n, _KEYPOINTS, 2)}")
    found = np.zeros((n, _KEYPOINTS, 3), np.float32)
    hints = np.zeros((n, _KEYPOINTS, 2), np.float32) if expected is None else expected
    cells = np.ascontiguousarray(hints * np.array([h, w]) - 0.5, np.float32)
    _decode_batch(*(np.ascontiguousarray(value, np.float32) for value in heads), cells, expected is not None, found)
    return found


def load() -> None:
    """Compile the decoder, or read what was compiled before."""
    decode_single(SingleHeads(*(np.zeros((1, 8, 8, depth), np.float32) for depth in (1, 17, 34, 34))))


@njit(cache=True, nogil=True)
def _decode_batch(center, heatmap, regression, offset, cells, hinted, found):  # type: ignore[no-untyped-def]
    height, width = center.shape[1:3]
    for crop in range(len(center)):
        row, column = _middle(center[crop, :, :, 0])
        for k in range(_KEYPOINTS):
            y = np.float32(row) + regression[crop, row, column, 2 * k]
            x = np.float32(column) + regression[crop, row, column, 2 * k + 1]
            best_y, best_x = _locate(heatmap[crop], k, y, x, cells[crop, k, 0], cells[crop, k, 1], hinted)
            down = np.float32(best_y) + offset[crop, best_y, best_x, 2 * k]
            across = np.float32(best_x) + offset[crop, best_y, best_x, 2 * k + 1]
            found[crop, k, 0] = down / np.float32(height)
            found[crop, k, 1] = across / np.float32(width)
            found[crop, k, 2] = heatmap[crop, best_y, best_x, k]


@njit(cache=True, nogil=True)
def _middle(center):  # type: ignore[no-untyped-def]
    """The cell of the person nearest to the middle."""
    height, width = center.shape
    best, best_y, best_x = np.float32(-1.0), 0, 0
    for y in range(height):
        for x in range(width):
            down, across = np.float32(y - height // 2), np.float32(x - width // 2)
            value = center[y, x] / (np.sqrt(down * down + across * across) + _NEAR)
            if value > best:
                best, best_y, best_x = value, y, x
    return best_y, best_x


@njit(cache=True, nogil=True)
def _locate(heatmap, k, y, x, hint_y, hint_x, hinted):  # type: ignore[no-untyped-def]
    """Best cell of keypoint ``k`` by heatmap and distance."""
    best, best_y, best_x = np.float32(-1.0), 0, 0
    for row in range(heatmap.shape[0]):
        for column in range(heatmap.shape[1]):
            down, across = np.float32(row) - y, np.float32(column) - x
            value = heatmap[row, column, k] / (np.sqrt(down * down + across * across) + _NEAR)
            if hinted:
                down, across = np.float32(row) - hint_y, np.float32(column) - hint_x
                value /= np.sqrt(down * down + across * across) + _NEAR
            if value > best:
                best, best_y, best_x = value, row, column
    return best_y, best_x
