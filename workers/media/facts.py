"""Facts of a video stream that everything after the index relies on: size, times, colours, fields."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from schema.plan import Stream
from workers.media.orientation import Orientation
from workers.media.packets import Ints

_DISPLAY_MATRIX = "DISPLAYMATRIX"
_HDR = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg"}


def facts_of(
    container: InputContainer, stream: VideoStream, first: VideoFrame, pts: Ints, end_pts: int, *, has_audio: bool
) -> Stream:
    """Facts of ``stream``.

    Args:
        container: where it is.
        stream: the one to process.
        first: its first frame that decodes.
        pts: ``[frames]`` time stamps as displayed, zeros where nothing is known.
        end_pts: end of the last frame.
        has_audio: whether the file has sound.
    """
    context = stream.codec_context
    aspect = Fraction(stream.sample_aspect_ratio or context.sample_aspect_ratio or 1)
    orientation = _orientation(first)
    width = max(1, round(first.width * aspect))
    size = (first.height, width) if orientation.swaps_sides else (width, first.height)
    time_base = Fraction(stream.time_base or Fraction(1, 90_000))
    duration = float((end_pts - (int(pts[0]) if len(pts) else 0)) * time_base)
    return Stream(
        index=stream.index,
        codec=context.codec.canonical_name,
        container=container.format.name,
        coded_width=first.width,
        coded_height=first.height,
        display_width=size[0],
        display_height=size[1],
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        sample_aspect_ratio=f"{aspect.numerator}:{aspect.denominator}",
        time_base=f"{time_base.numerator}/{time_base.denominator}",
        frames=len(pts),
        duration_s=duration,
        variable_frame_rate=_variable(pts),
        frame_rate=len(pts) / duration if duration > 0 else 0.0,
        has_audio=has_audio,
        pixel_format=first.format.name,
        interlaced=bool(first.interlaced_frame),
        hdr=_HDR.get(ColorTrc(first.color_trc)) if first.color_trc in list(_HDR) else None,
    )


def _variable(pts: Ints) -> bool:
    """Whether frames differ in length by more than rounding to ticks explains."""
    steps = np.diff(pts)
    if len(steps) < 2:
        return False
    spread = int(steps.max() - steps.min())
    usual = float(np.median(steps))
    return spread > 0.1 * usual and (spread > 2 or spread >= usual)


def _orientation(frame: VideoFrame) -> Orientation:
    return next(
        (Orientation.of_matrix(bytes(data)) for data in _side_data(frame) if data.type.name == _DISPLAY_MATRIX),
        Orientation(),
    )


def _side_data(frame: Any) -> list[Any]:
    return list(frame.side_data)
