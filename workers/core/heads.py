"""What the model gives of a batch: maps of every cell, and values that are worked out where they are asked for.

Every head of MoveNet is a small network of its own on the same 24 maps of features.  Which cells people and keypoints
are in is seen from the centre and keypoint heatmaps alone, so the four other heads, two thirds of the work, are
needed at a few hundred cells of some thousands.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Cells = NDArray[np.int64]

KEYPOINTS = 17
FEATURES, HIDDEN = 24, 96
CHANNELS = {"box_scale": 2, "box_offset": 2, "keypoint_regression": 34, "keypoint_offset": 34}
"""How many values the heads have that are worked out where they are asked for: in cells, y before x.

A box's scale is its height and width, its offset goes from the centre's cell, a keypoint's regression from the
centre's cell too, its offset from its own cell."""


class Heads(Protocol):
    """The heads of a batch at a quarter of the input's size; single-pose models have none of boxes."""

    @property
    def center(self) -> Floats:
        """``[n, h, w, 1]`` after the sigmoid."""
        ...

    @property
    def keypoint_heatmap(self) -> Floats:
        """``[n, h, w, 17]`` after the sigmoid."""
        ...

    def at(self, head: str, cells: Cells) -> Floats:
        """Values ``[n, m, channels]`` of a head at ``cells`` ``[n, m, 2]`` (row, column) of each picture."""
        ...

    def offsets(self, cells: Cells) -> Floats:
        """``[n, m, 17, 2]``: the offset of each keypoint at the cell ``[n, m, 17, 2]`` that it is in."""
        ...


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


class SparseHeads(NamedTuple):
    """Two heads as maps, and the features from which the others are worked out."""

    center: Floats
    keypoint_heatmap: Floats
    features: Floats
    """``[n, h, w, features]``."""
    networks: dict[str, Network]

    @classmethod
    def empty(cls, height: int, width: int) -> "SparseHeads":
        """Those of one picture without anybody."""
        center, heatmap, features = (
            np.zeros((1, height, width, depth), np.float32) for depth in (1, KEYPOINTS, FEATURES)
        )
        networks = {name: Network.empty(channels) for name, channels in CHANNELS.items()}
        return cls(center, heatmap, features, networks)

    def at(self, head: str, cells: Cells) -> Floats:
        """See `Heads.at`."""
        network = self.networks[head]
        values = np.empty((*cells.shape[:2], len(network.project_bias)), np.float32)
        _values(self.features, cells, *network, values)
        return values

    def offsets(self, cells: Cells) -> Floats:
        """See `Heads.offsets`."""
        values = np.empty(cells.shape, np.float32)
        _pairs(self.features, cells, *self.networks["keypoint_offset"], values)
        return values


class WholeHeads(NamedTuple):
    """Every head as a map ``[n, h, w, channels]``: what the network gives when it is run to its end."""

    center: Floats
    box_scale: Floats
    box_offset: Floats
    keypoint_heatmap: Floats
    keypoint_regression: Floats
    keypoint_offset: Floats

    def at(self, head: str, cells: Cells) -> Floats:
        """See `Heads.at`."""
        values: Floats = getattr(self, head)[np.arange(len(cells))[:, None], cells[..., 0], cells[..., 1]]
        return values

    def offsets(self, cells: Cells) -> Floats:
        """See `Heads.offsets`."""
        n, h, w, _ = self.keypoint_offset.shape
        pairs = self.keypoint_offset.reshape(n, h, w, KEYPOINTS, 2)
        image, keypoint = np.arange(n)[:, None, None], np.arange(KEYPOINTS)
        values: Floats = pairs[image, cells[..., 0], cells[..., 1], keypoint]
        return values


@njit(cache=True, nogil=True, fastmath={"contract"})
def _values(features, cells, depthwise, expand, expand_bias, project, project_bias, values):  # type: ignore[no-untyped-def]
    mixed, hidden = np.empty(expand.shape[0], np.float32), np.empty(expand.shape[1], np.float32)
    for image in range(cells.shape[0]):
        for each in range(cells.shape[1]):
            row, column = cells[image, each]
            _hidden(features[image], row, column, depthwise, expand, expand_bias, mixed, hidden)
            for channel in range(len(project_bias)):
                values[image, each, channel] = project_bias[channel] + _product(hidden, project[channel])


@njit(cache=True, nogil=True, fastmath={"contract"})
def _pairs(features, cells, depthwise, expand, expand_bias, project, project_bias, values):  # type: ignore[no-untyped-def]
    mixed, hidden = np.empty(expand.shape[0], np.float32), np.empty(expand.shape[1], np.float32)
    for image in range(cells.shape[0]):
        for each in range(cells.shape[1]):
            for k in range(cells.shape[2]):
                row, column = cells[image, each, k]
                _hidden(features[image], row, column, depthwise, expand, expand_bias, mixed, hidden)
                for axis in range(2):
                    channel = 2 * k + axis
                    values[image, each, k, axis] = project_bias[channel] + _product(hidden, project[channel])


@njit(cache=True, nogil=True, fastmath={"contract"})
def _hidden(features, row, column, depthwise, expand, expand_bias, mixed, hidden):  # type: ignore[no-untyped-def]
    """Write what a network's second layer gives at a cell; beyond the map's edge there are zeros."""
    height, width, channels = features.shape
    mixed[:] = 0
    for y in range(max(row - 1, 0), min(row + 2, height)):
        for x in range(max(column - 1, 0), min(column + 2, width)):
            for channel in range(channels):
                mixed[channel] += features[y, x, channel] * depthwise[y - row + 1, x - column + 1, channel]
    hidden[:] = expand_bias
    for channel in range(channels):
        for unit in range(len(hidden)):
            hidden[unit] += mixed[channel] * expand[channel, unit]
    for unit in range(len(hidden)):
        hidden[unit] = max(hidden[unit], np.float32(0.0))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _product(one, other):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for index in range(len(one)):
        total += one[index] * other[index]
    return total
