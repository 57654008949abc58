"""The ports that the engine sees: a model that finds people, and one that looks at one person closely."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class PoseModel(Protocol):
    """A MultiPose model: finds people in pictures."""

    @property
    def on_device(self) -> bool:
        """Whether it runs on a GPU, not on the cores that all else runs on."""
        ...

    def batch(self, height: int, width: int) -> int:
        """Pictures of this size that make a full call: a power of two."""
        ...

    def detect(self, pictures: Pixels, people: int) -> Floats:
        """Find people.

        Args:
            pictures: uint8 ``[n, H, W, 3]`` RGB, any ``n``; H and W multiples of 32.
            people: most people per picture.

        Returns:
            float32 ``[n, people, 56]``: 17 x (y, x, confidence), ymin, xmin, ymax, xmax, score, normalised to
            the padded input, best first.
        """
        ...


class SinglePoseModel(Protocol):
    """A single-pose model: finds the keypoints of the person in the middle of a crop."""

    @property
    def on_device(self) -> bool:
        """See `PoseModel.on_device`."""
        ...

    @property
    def side(self) -> int:
        """Pixels of the square crops that it takes."""
        ...

    @property
    def batch(self) -> int:
        """Crops that make a full call: a power of two."""
        ...

    def locate(self, crops: Pixels, expected: Floats | None = None) -> Floats:
        """Find one person's keypoints in each crop.

        Args:
            crops: uint8 ``[n, side, side, 3]`` RGB, any ``n``.
            expected: ``[n, 17, 2]`` (y, x) in 0..1 of the crop where the keypoints are thought to be; of several
                people in a crop that one is taken.  Without it the result is the stock graph's.

        Returns:
            float32 ``[n, 17, 3]`` (y, x, confidence), 0..1 of the crop.
        """
        ...
