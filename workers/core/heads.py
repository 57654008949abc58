"""What the model's trunk gives: six maps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Heads(NamedTuple):
    """Maps of a model batch, float32, ``[n, h, w, channels]`` at a quarter of the input's size."""

    center: Floats
    """``[n, h, w, 1]`` after the sigmoid."""
    box_scale: Floats
    """``[n, h, w, 2]`` height and width in cells."""
    box_offset: Floats
    """``[n, h, w, 2]`` y and x from the centre's cell."""
    keypoint_heatmap: Floats
    """``[n, h, w, 17]`` after the sigmoid."""
    keypoint_regression: Floats
    """``[n, h, w, 34]`` y and x of each keypoint from the centre's cell."""
    keypoint_offset: Floats
    """``[n, h, w, 34]`` y and x from the keypoint's cell."""


class SingleHeads(NamedTuple):
    """Maps of a batch of single-pose crops, float32, ``[n, h, w, channels]`` at a quarter of the crop's side."""

    center: Floats
    """``[n, h, w, 1]`` after the sigmoid."""
    keypoint_heatmap: Floats
    """``[n, h, w, 17]`` after the sigmoid."""
    keypoint_regression: Floats
    """``[n, h, w, 34]`` y and x of each keypoint from the person's cell."""
    keypoint_offset: Floats
    """``[n, h, w, 34]`` y and x from the keypoint's cell."""
