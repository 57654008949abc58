"""Heads as maps of every cell: what the network gives when it is run to its end, and the decoders on it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.core import decoder, single_decoder
from workers.core.heads import KEYPOINTS, Floats
from workers.core.poses import POSE_VALUES


class WholeHeads(NamedTuple):
    """Every head ``[n, h, w, channels]``."""

    center: Floats
    box_scale: Floats
    box_offset: Floats
    keypoint_heatmap: Floats
    keypoint_regression: Floats
    keypoint_offset: Floats


def decode_whole(heads: WholeHeads, people: int) -> Floats:
    """`workers.core.decoder.decode`."""
    poses = np.zeros((len(heads.center), people, POSE_VALUES), np.float32)
    cells, counts = decoder.find(heads.center, poses)
    scale, shift = at(heads.box_scale, cells), at(heads.box_offset, cells)
    boxes = decoder.place(heads.center, cells, counts, scale, shift, poses)
    points = decoder.reach(cells, at(heads.keypoint_regression, cells))
    found_at = decoder.locate(heads.keypoint_heatmap, counts, points, boxes)
    decoder.score(heads.keypoint_heatmap, counts, points, boxes, found_at, offsets(heads, found_at), poses)
    return poses


def decode_single_whole(heads: WholeHeads, expected: Floats | None = None) -> Floats:
    """`workers.core.single_decoder.decode_single`."""
    n, h, w, _ = heads.center.shape
    hints = np.zeros((n, KEYPOINTS, 2), np.float32) if expected is None else expected
    middles = single_decoder.find(heads.center)
    regression, hint_cells = at(heads.keypoint_regression, middles), np.float32(hints * np.array([h, w]) - 0.5)
    cells = single_decoder.locate(heads.keypoint_heatmap, middles, regression, hint_cells, expected is not None)
    found = np.zeros((n, KEYPOINTS, 3), np.float32)
    single_decoder.write(heads.keypoint_heatmap, cells, offsets(heads, cells), found)
    return found


def at(head: Floats, cells: NDArray[np.int64]) -> Floats:
    """What `workers.core.heads.values` works out."""
    values: Floats = head[np.arange(len(cells))[:, None], cells[..., 0], cells[..., 1]]
    return values


def offsets(heads: WholeHeads, cells: NDArray[np.int64]) -> Floats:
    """What `workers.core.heads.offsets` works out."""
    n, h, w, _ = heads.keypoint_offset.shape
    pairs = heads.keypoint_offset.reshape(n, h, w, KEYPOINTS, 2)
    values: Floats = pairs[np.arange(n)[:, None, None], cells[..., 0], cells[..., 1], np.arange(KEYPOINTS)]
    return values
