"""How the stored picture is turned and flipped for display."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ONE = 1 << 16


@dataclass(frozen=True)
class Orientation:
    """First an optional flip left to right, then a turn of ``rotation`` degrees clockwise."""

    rotation: int = 0
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation is {self.rotation}, expected 0, 90, 180 or 270")

    @classmethod
    def of_matrix(cls, matrix: bytes) -> "Orientation":
        """Read a display matrix: nine little-endian int32, of which four turn (x, y), y pointing down."""
        a, b, _, c, d = (value / _ONE for value in struct.unpack("<5i", matrix[:20]))
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        turned = 0 if abs(a) >= abs(b) else 90
        negative = a < 0 if turned == 0 else b < 0
        return cls(turned + 180 * negative, mirrored)

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation in (90, 270)

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Turn ``[H, W, ...]`` as displayed; a view where numpy can make one."""
        flipped = picture[:, ::-1] if self.mirrored else picture
        return np.rot90(flipped, k=-self.rotation // 90) if self.rotation else flipped
