"""Fit a picture into the model's input and map coordinates both ways."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRIDE = 32
"""MoveNet's trunk halves the picture five times."""


@dataclass(frozen=True)
class Letterbox:
    """Geometry of one picture size: scaled so that the longer side fits, padded right and bottom.

    The scale of each axis comes from the rounded size, so mapping there and back is exact.
    """

    width: int
    """Displayed picture, pixels."""
    height: int
    content_width: int
    """Scaled picture inside the input, pixels."""
    content_height: int
    padded_width: int
    """Model input, pixels; a multiple of 32."""
    padded_height: int

    @classmethod
    def fit(cls, width: int, height: int, input_size: int) -> "Letterbox":
        """Letterbox of a ``width`` x ``height`` picture whose longer side becomes ``input_size``.

        Raises:
            ValueError: a side is not positive, or ``input_size`` is no multiple of 32.
        """
        if width < 1 or height < 1 or input_size < STRIDE or input_size % STRIDE:
            raise ValueError(f"cannot fit {width}x{height} into {input_size}")
        longer = max(width, height)
        content = [max(1, round(side * input_size / longer)) for side in (width, height)]
        padded = [-(-side // STRIDE) * STRIDE for side in content]
        return cls(width, height, content[0], content[1], padded[0], padded[1])

    def to_picture(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map model coordinates to the displayed picture.

        Args:
            normalised: ``[..., 2]`` as (y, x), 0..1 over the padded input's edges.

        Returns:
            ``[..., 2]`` as (x, y) in pixels, the centre of the first pixel at (0, 0).
        """
        scale = self._padded_in_picture()
        return (normalised[..., ::-1].astype(np.float64) * scale - 0.5).astype(np.float32)

    def to_model(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of `to_picture`: ``[..., 2]`` (x, y) pixels to (y, x), 0..1."""
        scale = self._padded_in_picture()
        return ((pixels.astype(np.float64) + 0.5) / scale)[..., ::-1].astype(np.float32)

    def _padded_in_picture(self) -> NDArray[np.float64]:
        """Width and height of the padded input, in pixels of the picture."""
        return np.array(
            [
                self.padded_width * self.width / self.content_width,
                self.padded_height * self.height / self.content_height,
            ]
        )
