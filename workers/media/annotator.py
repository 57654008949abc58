"""Turns source frames into frames of the annotated video: as displayed, even size, yuv420p, people painted on."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from schema.options import Options
from schema.plan import Stream
from workers.media.canvas import Canvas, Plane
from workers.media.frames import ShownFrame
from workers.media.history import DrawnPerson, History
from workers.media.orientation import Orientation
from workers.media.painter import Painter

_RGB = 0
"""`AVCOL_SPC_RGB`"""


def even(size: float) -> int:
    """The nearest even size that 4:2:0 pictures can have."""
    whole = round(size)
    return max(2, whole - whole % 2)


class Annotator:
    """Draws frame after frame."""

    def __init__(self, stream: Stream, options: Options, past: Iterable[tuple[float, list[DrawnPerson]]] = ()) -> None:
        """Prepare for the frames of one range.

        Args:
            stream: of the source.
            options: style and scale.
            past: people of the seconds before the range, with their times.
        """
        width, height = stream.display_width, stream.display_height
        self._width, self.height = even(width * options.scale), even(height * options.scale)
        self._painter = Painter(frozenset(options.style), (self._width / width, self.height / height))
        self.width = self._width * self._painter.columns
        self._history = History(width, height, 1 / max(stream.frame_rate, 1.0)) if self._painter.remembers else None
        self._time_base = Fraction(stream.time_base)
        self._orientation = Orientation(stream.rotation, stream.mirrored)
        self._reformatter = VideoReformatter()
        if self._history:
            for time_s, people in past:
                self._history.add(time_s, people)

    def draw(self, shown: ShownFrame, people: list[DrawnPerson]) -> VideoFrame:
        """A new frame with ``people`` (in pixels of the displayed picture) drawn on what is ``shown``."""
        if self._history:
            self._history.add(float(shown.pts * self._time_base), people)
        plain = self._plain(shown.picture)
        made = VideoFrame(self.width, self.height, "yuv420p")
        planes = [_pixels(plane) for plane in made.planes]
        for target, plane in zip(planes, plain.planes, strict=False):
            turned = self._orientation.apply(_pixels(plane))
            target[:, : turned.shape[1]] = turned
        self._painter.paint(Canvas.yuv420(*planes), people, self._history)
        made.colorspace, made.color_range = plain.colorspace, ColorRange.MPEG
        made.color_primaries, made.color_trc = plain.color_primaries, plain.color_trc
        return made

    def _plain(self, frame: VideoFrame) -> VideoFrame:
        """``frame`` as yuv420p of limited range at the size of one picture, not turned yet; itself where it is that."""
        width, height = self._width, self.height
        if self._orientation.swaps_sides:
            width, height = height, width
        same = (frame.width, frame.height, frame.format.name) == (width, height, "yuv420p")
        if same and frame.color_range != ColorRange.JPEG:
            return frame
        space = Colorspace.ITU709 if frame.colorspace == _RGB else None
        plain = self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            dst_colorspace=space,
            interpolation=Interpolation.AREA if width < frame.width else Interpolation.BICUBIC,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        if space is not None:
            plain.colorspace = space
            plain.color_primaries, plain.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return plain


def _pixels(plane: VideoPlane) -> Plane:
    """The pixels of a plane of a frame, ``[height, width]``, in place."""
    stored = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return stored[:, : plane.width]
