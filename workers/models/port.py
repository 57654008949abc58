"""The port that stages see."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PoseModel(Protocol):
    """A pose model ready to run pictures of one size."""

    @property
    def batch(self) -> int:
        """Frames of one call."""
        ...

    def detect(self, frames: NDArray[np.uint8], people: int) -> NDArray[np.float32]:
        """Find people in ``frames``.

        Args:
            frames: uint8 ``[n, H, W, 3]`` RGB with ``n`` at most `batch`; H and W multiples of 32.
            people: most people per frame.

        Returns:
            float32 ``[n, people, 56]``: 17 x (y, x, confidence), ymin, xmin, ymax, xmax, score, normalised to
            the padded input.
        """
        ...
