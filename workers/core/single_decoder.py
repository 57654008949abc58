"""Turn the heads of single-pose MoveNet into keypoints, a batch of crops at a time.

The person is the cell with the highest centre score, weighted by 1 / (distance from the crop's middle + 1.8 cells);
a keypoint is the cell with the highest heatmap value, weighted the same way by the distance from where the person's
cell says it is.  Where the keypoints are expected from elsewhere, that distance counts as well, which settles whose
keypoints are taken when people overlap.
"""

import numpy as np
from numba import njit

from workers.core.heads import KEYPOINTS, Floats, Heads, SparseHeads

_NEAR = np.float32(1.7998046875)


def decode_single(heads: Heads, expected: Floats | None = None) -> Floats:
    """Keypoints of the person of each crop.

    Args:
        heads: of ``n`` crops.
        expected: ``[n, 17, 2]`` (y, x) in 0..1 of the crop, or none for the stock graph's result.

    Returns:
        ``[n, 17, 3]`` (y, x, confidence), 0..1 of the crop.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    n, h, w, _ = heads.center.shape
    if heads.keypoint_heatmap.shape != (n, h, w, KEYPOINTS):
        raise ValueError(f"keypoint_heatmap is {heads.keypoint_heatmap.shape}, expected {(n, h, w, KEYPOINTS)}")
    if expected is not None and expected.shape != (n, KEYPOINTS, 2):
        raise ValueError(f"expected keypoints are {expected.shape}, expected {(n, KEYPOINTS, 2)}")
    center, heatmap = (np.ascontiguousarray(each, np.float32) for each in (heads.center, heads.keypoint_heatmap))
    hints = np.zeros((n, KEYPOINTS, 2), np.float32) if expected is None else expected
    hint_cells = np.ascontiguousarray(hints * np.array([h, w]) - 0.5, np.float32)
    middles = np.zeros((n, 1, 2), np.int64)
    _find(center, middles)
    reaches = heads.at("keypoint_regression", middles).reshape(n, KEYPOINTS, 2)
    cells, scores = np.zeros((n, KEYPOINTS, 2), np.int64), np.zeros((n, KEYPOINTS, 1), np.float32)
    _place(heatmap, middles.astype(np.float32) + reaches, hint_cells, expected is not None, cells, scores)
    places = (cells.astype(np.float32) + heads.offsets(cells[:, None])[:, 0]) / np.array([h, w], np.float32)
    return np.concatenate([places, scores], axis=2)


def load() -> None:
    """Compile the decoder, or read what was compiled before."""
    decode_single(SparseHeads.empty(8, 8))


@njit(cache=True, nogil=True)
def _find(center, middles):  # type: ignore[no-untyped-def]
    for crop in range(len(center)):
        middles[crop, 0] = _middle(center[crop, :, :, 0])


@njit(cache=True, nogil=True)
def _place(heatmap, points, hints, hinted, cells, scores):  # type: ignore[no-untyped-def]
    """Write the cell of each keypoint and what the heatmap says of it."""
    for crop in range(len(heatmap)):
        for k in range(KEYPOINTS):
            y, x = points[crop, k]
            row, column = _locate(heatmap[crop], k, y, x, hints[crop, k, 0], hints[crop, k, 1], hinted)
            cells[crop, k, 0], cells[crop, k, 1] = row, column
            scores[crop, k, 0] = heatmap[crop, row, column, k]


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
