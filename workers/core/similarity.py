"""How alike two sets of poses are: object keypoint similarity in pixels, and box overlap."""

import numpy as np
from numpy.typing import NDArray

from schema.skeleton import OKS_SIGMAS

Floats = NDArray[np.float64]
_VARIANCES = (2 * np.array(OKS_SIGMAS)) ** 2


def oks_matrix(a: Floats, b: Floats, areas: Floats, confident: NDArray[np.bool_]) -> Floats:
    """Object keypoint similarity of every pair (COCO keypoint evaluation, in pixels).

    Args:
        a: ``[n, 17, 2]`` keypoints, pixels.
        b: ``[m, 17, 2]`` keypoints, pixels.
        areas: ``[n]`` square pixels of the people of ``a``.
        confident: ``[n, m, 17]`` which keypoints take part; a pair without any has similarity 0.

    Returns:
        ``[n, m]`` in 0..1.
    """
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    scale = 2 * np.maximum(areas, 1.0)[:, None, None] * _VARIANCES
    each = np.where(confident, np.exp(-np.nan_to_num(squared, nan=np.inf) / scale), 0.0)
    count = confident.sum(-1)
    return np.asarray(each.sum(-1) / np.maximum(count, 1))


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Overlap of every pair of boxes ``[n, 4]`` and ``[m, 4]`` (x, y, width, height), ``[n, m]`` in 0..1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = a[:, None, 2:].prod(-1) + b[None, :, 2:].prod(-1) - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
