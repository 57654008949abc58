"""Pictures as the engine sees them: a decoded frame, or an array of RGB."""

from functools import cached_property

import cv2
import numpy as np
from av.video.frame import VideoFrame

from schema.plan import Stream
from workers.core.camera import Sketch
from workers.core.letterbox import Letterbox
from workers.core.regions import Region, Square
from workers.media.scaler import Pixels, Scaler
from workers.media.sketch import sketch_of
from workers.telemetry.measure import computing

Views = dict[Letterbox, Pixels]
"""Of one frame: uint8 ``[padded_height, padded_width, 3]`` RGB."""


class Still:
    """An array of RGB as displayed, uint8 ``[height, width, 3]``."""

    def __init__(self, rgb: Pixels) -> None:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"picture is {rgb.dtype} {rgb.shape}, expected uint8 [height, width, 3]")
        self.rgb = rgb
        self.height, self.width = rgb.shape[:2]

    @computing("letterbox")
    def view(self, region: Region, letterbox: Letterbox) -> Pixels:
        """See `Picture.view`."""
        part = self.rgb[region.top : region.top + region.height, region.left : region.left + region.width]
        target = np.zeros((letterbox.padded_height, letterbox.padded_width, 3), np.uint8)
        width, height = letterbox.content_width, letterbox.content_height
        target[:height, :width] = scaled(part, width, height)
        return target

    @computing("letterbox")
    def crop(self, square: Square, side: int) -> Pixels:
        """See `Picture.crop`."""
        whole = np.zeros((square.side, square.side, 3), np.uint8)
        left, top = max(0, square.left), max(0, square.top)
        right, bottom = min(self.width, square.left + square.side), min(self.height, square.top + square.side)
        if left < right and top < bottom:
            inside = self.rgb[top:bottom, left:right]
            whole[top - square.top : bottom - square.top, left - square.left : right - square.left] = inside
        small = scaled(whole, side, side)
        return np.ascontiguousarray(small[:, ::-1]) if square.mirrored else small


class Frames:
    """Makes pictures of a stream's frames, and keeps their sketches."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sketches: dict[int, Sketch] = {}
        """By index of the frame, of those that were viewed whole."""
        self._scaler = Scaler(stream)
        self._count = 0

    def picture(self, frame: VideoFrame) -> "FramePicture":
        """The picture of the next frame."""
        self._count += 1
        return FramePicture(frame, self, self._count - 1)

    def viewed(self, views: Views) -> "ViewedPicture":
        """The picture of the next frame, of which only views of the whole are there."""
        first, pixels = next(iter(views.items()))
        self.note(self._count, pixels[: first.content_height, : first.content_width])
        self._count += 1
        return ViewedPicture(views)

    def note(self, index: int, whole: Pixels) -> None:
        """Keep a sketch of the frame ``index``, of which ``whole`` is the picture at any size."""
        if index not in self.sketches:
            self.sketches[index] = sketch_of(whole)

    @computing("letterbox")
    def rgb(self, frame: VideoFrame, width: int, height: int) -> Pixels:
        """See `Scaler.rgb`."""
        return self._scaler.rgb(frame, width, height)


class FramePicture:
    """A decoded frame as displayed. Small views are scaled straight from the decoder's planes."""

    def __init__(self, frame: VideoFrame, frames: Frames, index: int) -> None:
        self._frame, self._frames, self._index = frame, frames, index
        self.width, self.height = frames.stream.display_width, frames.stream.display_height

    @cached_property
    def _still(self) -> Still:
        """The whole frame as RGB: what tiles and crops are cut from."""
        whole = np.ascontiguousarray(self._frames.rgb(self._frame, self.width, self.height))
        self._frames.note(self._index, whole)
        return Still(whole)

    def view(self, region: Region, letterbox: Letterbox) -> Pixels:
        """See `Picture.view`."""
        if (region.width, region.height) != (self.width, self.height):
            return self._still.view(region, letterbox)
        target = np.zeros((letterbox.padded_height, letterbox.padded_width, 3), np.uint8)
        width, height = letterbox.content_width, letterbox.content_height
        target[:height, :width] = self._frames.rgb(self._frame, width, height)
        self._frames.note(self._index, target[:height, :width])
        return target

    def crop(self, square: Square, side: int) -> Pixels:
        """See `Picture.crop`."""
        return self._still.crop(square, side)


class ViewedPicture:
    """A frame for those who look at nothing but the whole of it, at sizes known before."""

    def __init__(self, views: Views) -> None:
        self._views = views
        first = next(iter(views))
        self.width, self.height = first.width, first.height

    def view(self, region: Region, letterbox: Letterbox) -> Pixels:
        """See `Picture.view`; raises KeyError for any other letterbox."""
        assert (region.width, region.height) == (self.width, self.height)
        return self._views[letterbox]

    def crop(self, square: Square, side: int) -> Pixels:
        """There is nothing to cut from: raises LookupError."""
        raise LookupError(f"{square} at {side}: of this picture there are only views")


def scaled(picture: Pixels, width: int, height: int) -> Pixels:
    """``picture`` at another size: averaged when it shrinks, interpolated when it grows."""
    shrinks = width < picture.shape[1] or height < picture.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small: Pixels = cv2.resize(picture, (width, height), interpolation=interpolation)
    return small
