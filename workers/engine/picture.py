"""What the engine sees of a picture."""

from typing import Protocol

from workers.core.letterbox import Letterbox
from workers.core.regions import Region, Square
from workers.models.port import Pixels


class Picture(Protocol):
    """A picture as displayed."""

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...

    def view(self, region: Region, letterbox: Letterbox) -> Pixels:
        """``region`` scaled into ``letterbox``: uint8 ``[padded_height, padded_width, 3]`` RGB."""
        ...

    def crop(self, square: Square, side: int) -> Pixels:
        """``square`` scaled to uint8 ``[side, side, 3]`` RGB, mirrored if it says so; black beyond the picture."""
        ...
