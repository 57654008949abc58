"""Turn the heads of single-pose MoveNet into keypoints, a batch of crops at a time.

The person is the cell with the highest centre score, weighted by 1 / (distance from the crop's middle + 1.8 cells);
a keypoint is the cell with the highest heatmap value, weighted the same way by the distance from where the person's
cell says it is.  Where the keypoints are expected from elsewhere, that distance counts as well, which settles whose
keypoints are taken when people overlap.
"""

import numpy as np

from workers.core.heads import KEYPOINTS, Floats, Heads, offsets, values
from workers.core.jit import njit

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
    maps = (np.ascontiguousarray(each, np.float32) for each in heads[:3])
    networks = (heads.networks[head] for head in ("keypoint_regression", "keypoint_offset"))
    hints = np.zeros((n, KEYPOINTS, 2), np.float32) if expected is None else expected
    hint_cells = np.ascontiguousarray(hints * np.array([h, w]) - 0.5, np.float32)
    found = np.zeros((n, KEYPOINTS, 3), np.float32)
    _decode(*maps, *networks, hint_cells, expected is not None, found)
    return found


def load() -> None:
    """Compile the decoder, or read what was compiled before."""
    decode_single(Heads.empty(8, 8))


@njit(cache=True, nogil=True)
def _decode(center, heatmap, features, regression, offset, hints, hinted, found):  # type: ignore[no-untyped-def]
    middles = find(center)
    cells = locate(heatmap, middles, values(features, middles, regression), hints, hinted)
    write(heatmap, cells, offsets(features, cells, offset), found)


@njit(cache=True, nogil=True)
def find(center):  # type: ignore[no-untyped-def]
    """The cell of each crop's person ``[n, 1, 2]``."""
    middles = np.zeros((len(center), 1, 2), np.int64)
    for crop in range(len(center)):
        middles[crop, 0] = _middle(center[crop, :, :, 0])
    return middles


@njit(cache=True, nogil=True)
def locate(heatmap, middles, regression, hints, hinted):  # type: ignore[no-untyped-def]
    """The cell of each keypoint ``[n, 1, 17, 2]``."""
    cells = np.zeros((len(heatmap), 1, KEYPOINTS, 2), np.int64)
    for crop in range(len(heatmap)):
        for k in range(KEYPOINTS):
            y = np.float32(middles[crop, 0, 0]) + regression[crop, 0, 2 * k]
            x = np.float32(middles[crop, 0, 1]) + regression[crop, 0, 2 * k + 1]
            cells[crop, 0, k] = _locate(heatmap[crop], k, y, x, hints[crop, k, 0], hints[crop, k, 1], hinted)
    return cells


@njit(cache=True, nogil=True)
def write(heatmap, cells, shifts, found):  # type: ignore[no-untyped-def]
    """Write where each keypoint is in 0..1, and what the heatmap says of it."""
    height, width = heatmap.shape[1:3]
    for crop in range(len(heatmap)):
        for k in range(KEYPOINTS):
            row, column = cells[crop, 0, k]
            found[crop, k, 0] = (np.float32(row) + shifts[crop, 0, k, 0]) / np.float32(height)
            found[crop, k, 1] = (np.float32(column) + shifts[crop, 0, k, 1]) / np.float32(width)
            found[crop, k, 2] = heatmap[crop, row, column, k]


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
