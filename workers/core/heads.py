"""What the model gives of a batch: maps of every cell, and values that are worked out where they are asked for.

Every head of MoveNet is a small network of its own on the same 24 maps of features.  Which cells people and keypoints
are in is seen from the centre and keypoint heatmaps alone, so the four other heads, two thirds of the work, are
needed at a few hundred cells of some thousands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.core.jit import njit

Floats = NDArray[np.float32]

KEYPOINTS = 17
FEATURES, HIDDEN = 24, 96
CHANNELS = {"box_scale": 2, "box_offset": 2, "keypoint_regression": 34, "keypoint_offset": 34}
"""How many values the heads have that are worked out where they are asked for: in cells, y before x.

A box's scale is its height and width, its offset goes from the centre's cell, a keypoint's regression from the
centre's cell too, its offset from its own cell."""


class Network(NamedTuple):
    """One head: a 3 x 3 convolution of each feature map, a mixture, ReLU, and another mixture; float32."""

    depthwise: Floats
    """``[3, 3, features]``."""
    expand: Floats
    """``[features, hidden]``."""
    expand_bias: Floats
    """``[hidden]``."""
    project: Floats
    """``[channels, hidden]``."""
    project_bias: Floats
    """``[channels]``."""

    @classmethod
    def empty(cls, channels: int) -> "Network":
        """One that gives zeros."""
        shapes = (3, 3, FEATURES), (FEATURES, HIDDEN), (HIDDEN,), (channels, HIDDEN), (channels,)
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))


class Heads(NamedTuple):
    """The heads of a batch at a quarter of the input's size, float32: two are maps, the others are worked out."""

    center: Floats
    """``[n, h, w, 1]`` after the sigmoid."""
    keypoint_heatmap: Floats
    """``[n, h, w, 17]`` after the sigmoid."""
    features: Floats
    """``[n, h, w, features]``."""
    networks: dict[str, Network]
    """By the names of `CHANNELS`; single-pose models have none of boxes."""

    @classmethod
    def empty(cls, height: int, width: int) -> "Heads":
        """Those of one picture without anybody."""
        center, heatmap, features = (
            np.zeros((1, height, width, depth), np.float32) for depth in (1, KEYPOINTS, FEATURES)
        )
        networks = {name: Network.empty(channels) for name, channels in CHANNELS.items()}
        return cls(center, heatmap, features, networks)


@njit(cache=True, nogil=True, fastmath={"contract"})
def values(features, cells, network):  # type: ignore[no-untyped-def]
    """Values ``[n, m, channels]`` of a head at ``cells`` ``[n, m, 2]`` (row, column) of each picture."""
    channels = len(network.project_bias)
    found = np.empty((cells.shape[0], cells.shape[1], channels), np.float32)
    mixed, hidden = np.empty(network.expand.shape[0], np.float32), np.empty(network.expand.shape[1], np.float32)
    for image in range(cells.shape[0]):
        for each in range(cells.shape[1]):
            row, column = cells[image, each]
            _hidden(features[image], row, column, network, mixed, hidden)
            for channel in range(channels):
                found[image, each, channel] = network.project_bias[channel] + _product(hidden, network.project[channel])
    return found


@njit(cache=True, nogil=True, fastmath={"contract"})
def offsets(features, cells, network):  # type: ignore[no-untyped-def]
    """``[n, m, 17, 2]``: the offset of each keypoint at the cell ``[n, m, 17, 2]`` that it is in."""
    found = np.empty(cells.shape, np.float32)
    mixed, hidden = np.empty(network.expand.shape[0], np.float32), np.empty(network.expand.shape[1], np.float32)
    for image in range(cells.shape[0]):
        for each in range(cells.shape[1]):
            for k in range(cells.shape[2]):
                row, column = cells[image, each, k]
                _hidden(features[image], row, column, network, mixed, hidden)
                for axis in range(2):
                    weights = network.project[2 * k + axis]
                    found[image, each, k, axis] = network.project_bias[2 * k + axis] + _product(hidden, weights)
    return found


@njit(cache=True, nogil=True, fastmath={"contract"})
def _hidden(features, row, column, network, mixed, hidden):  # type: ignore[no-untyped-def]
    """Write what a network's second layer gives at a cell; beyond the map's edge there are zeros."""
    height, width, channels = features.shape
    mixed[:] = 0
    for y in range(max(row - 1, 0), min(row + 2, height)):
        for x in range(max(column - 1, 0), min(column + 2, width)):
            for channel in range(channels):
                mixed[channel] += features[y, x, channel] * network.depthwise[y - row + 1, x - column + 1, channel]
    hidden[:] = network.expand_bias
    for channel in range(channels):
        for unit in range(len(hidden)):
            hidden[unit] += mixed[channel] * network.expand[channel, unit]
    for unit in range(len(hidden)):
        hidden[unit] = max(hidden[unit], np.float32(0.0))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _product(one, other):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for index in range(len(one)):
        total += one[index] * other[index]
    return total
