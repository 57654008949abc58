"""Pictures in files: JPEG, PNG, WebP and whatever else Pillow reads, turned as their EXIF orientation says."""

import io
import struct
import warnings
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from schema.errors import PictureError
from schema.options import Options
from workers.media.canvas import Canvas
from workers.media.history import DrawnPerson
from workers.media.painter import Painter
from workers.media.pixels import Still, scaled

_CONTENT_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
#: What Pillow's readers raise over damaged bytes.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, TypeError, LookupError, struct.error, zlib.error)
_SAVED_AS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 92},
    ".jpeg": {"format": "JPEG", "quality": 92},
    ".png": {"format": "PNG", "compress_level": 3},
    ".webp": {"format": "WEBP", "quality": 90},
}


def read_still(body: bytes) -> Still:
    """The picture in ``body`` as displayed; the first one of several.

    Raises:
        PictureError: it is no picture, is cut off, or has an absurd number of pixels.
    """
    if not body:
        raise PictureError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body)) as stored:
                return Still(_rgb(ImageOps.exif_transpose(stored)))
    except UnidentifiedImageError as error:
        raise PictureError("the file is no picture of a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError("the picture has more than 89 million pixels") from error
    except _DAMAGED as error:
        raise PictureError(f"the picture is damaged: {error}") from error


def _rgb(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """RGB of 8 bits; transparent parts keep the colour stored there."""
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = np.asarray(picture, np.float32)
        picture = Image.fromarray((grey * (255 / max(255.0, float(grey.max())))).astype(np.uint8))
    return np.asarray(picture.convert("RGB"), np.uint8)


def draw_still(still: Still, people: list[DrawnPerson], options: Options, path: Path) -> None:
    """Write the picture with ``people`` drawn on it, in the format of the path's suffix."""
    width, height = (max(1, round(side * options.scale)) for side in (still.width, still.height))
    painter = Painter(frozenset(options.style), (width / still.width, height / still.height))
    shown = still.rgb if options.scale == 1.0 else scaled(still.rgb, width, height)
    planes = [np.tile(shown[..., channel], (1, painter.columns)) for channel in range(3)]
    painter.paint(Canvas.rgb(planes), people)
    Image.fromarray(np.stack(planes, -1)).save(path, **_SAVED_AS[path.suffix])


def kind_of_name(name: str) -> tuple[str, str]:
    """Suffix and content type of the annotated picture of a file called ``name``: its own, else JPEG's."""
    suffix = PurePosixPath(name).suffix.lower()
    return (suffix, _CONTENT_TYPES[suffix]) if suffix in _CONTENT_TYPES else (".jpg", "image/jpeg")
