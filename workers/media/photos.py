"""Pixels of pictures in files: JPEG, PNG, WebP and more, turned as their EXIF orientation says."""

import io
import struct
import warnings
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from schema.errors import PictureError, TooLarge
from workers.media.limits import LIMITS, Limits

#: Pillow's readers that an upload may choose; none of them starts a program.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "GIF", "JPEG2000", "PPM")
#: What Pillow's readers raise over damaged bytes.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, TypeError, LookupError, ArithmeticError)


def read_rgb(body: bytes, limits: Limits = LIMITS) -> NDArray[np.uint8]:
    """The picture in ``body`` as displayed, the first one of several: ``[height, width, 3]``.

    Raises:
        PictureError: it is no picture, is cut off, or has too many bytes or pixels.
    """
    if not body:
        raise PictureError("the file is empty")
    try:
        limits.check_bytes(len(body))
        Image.init()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=FORMATS) as stored:
                limits.check_pixels(*stored.size)
                return _rgb(ImageOps.exif_transpose(stored))
    except UnidentifiedImageError as error:
        raise PictureError("the file is no picture of a known format") from error
    except (TooLarge, Image.DecompressionBombError) as error:
        raise PictureError(f"too large: {error}") from error
    except (*_DAMAGED, struct.error, zlib.error) as error:
        raise PictureError(f"the picture is damaged: {error}") from error


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    """RGB of 8 bits; transparent parts keep the colour stored there."""
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = np.asarray(picture, np.float32)
        picture = Image.fromarray((grey * (255 / max(255.0, float(grey.max())))).astype(np.uint8))
    return np.asarray(picture.convert("RGB"), np.uint8)
