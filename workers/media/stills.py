"""Pictures in files, read as displayed and written with people drawn on them."""

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from schema.options import Options
from workers.media.canvas import Canvas
from workers.media.history import DrawnPerson
from workers.media.limits import LIMITS, Limits
from workers.media.painter import Painter
from workers.media.photos import read_rgb
from workers.media.pixels import Still, scaled

_CONTENT_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_SAVED_AS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 92},
    ".jpeg": {"format": "JPEG", "quality": 92},
    ".png": {"format": "PNG", "compress_level": 3},
    ".webp": {"format": "WEBP", "quality": 90},
}


def read_still(body: bytes, limits: Limits = LIMITS) -> Still:
    """The picture in ``body`` as displayed; the first one of several; raises `PictureError`."""
    return Still(read_rgb(body, limits))


def draw_still(still: Still, people: list[DrawnPerson], options: Options, path: Path, limits: Limits = LIMITS) -> None:
    """Write the picture with ``people`` drawn on it, in the format of the path's suffix, no larger than is allowed."""
    columns = Painter(frozenset(options.style)).columns
    most = math.sqrt(limits.pixels / (still.width * still.height * columns))
    width, height = (max(1, round(side * min(options.scale, most))) for side in (still.width, still.height))
    painter = Painter(frozenset(options.style), (width / still.width, height / still.height))
    shown = still.rgb if (width, height) == (still.width, still.height) else scaled(still.rgb, width, height)
    planes = [np.tile(shown[..., channel], (1, painter.columns)) for channel in range(3)]
    painter.paint(Canvas.rgb(planes), people)
    Image.fromarray(np.stack(planes, -1)).save(path, **_SAVED_AS[path.suffix])


def kind_of_name(name: str) -> tuple[str, str]:
    """Suffix and content type of the annotated picture of a file called ``name``: its own, else JPEG's."""
    suffix = PurePosixPath(name).suffix.lower()
    return (suffix, _CONTENT_TYPES[suffix]) if suffix in _CONTENT_TYPES else (".jpg", "image/jpeg")
