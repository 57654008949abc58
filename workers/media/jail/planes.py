"""Frames as bytes in a row: the planes one after the other, each with the line size that a new frame has."""

from functools import lru_cache
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from workers.media.jail.siting import sited
from workers.media.jail.wire import Words

Kind = tuple[str, int, int]
"""Pixel format, width and height."""
Layout = tuple[tuple[int, int], ...]
"""Of each plane: lines, and bytes per line."""


@lru_cache(maxsize=8)
def layout_of(pixel_format: str, width: int, height: int) -> Layout:
    """How a frame's planes lie; raises ValueError where there are no such frames."""
    planes: Any = VideoFrame(width, height, pixel_format).planes
    return tuple((plane.height, plane.buffer_size // plane.height) for plane in planes)


def size_of(layout: Layout) -> int:
    """Bytes of a frame."""
    return sum(lines * size for lines, size in layout)


def words_of(frame: VideoFrame, siting: str) -> Words:
    """What is to know of a frame beside its pixels."""
    return {
        "siting": siting,
        "format": frame.format.name,
        "width": frame.width,
        "height": frame.height,
        "colours": [
            int(frame.colorspace),
            int(frame.color_range),
            int(frame.color_primaries),
            int(frame.color_trc),
        ],
    }


def put(frame: VideoFrame, target: memoryview) -> None:
    """Copy the planes of ``frame``."""
    at, planes = 0, frame.planes
    for plane, (lines, size) in zip(planes, layout_of(frame.format.name, frame.width, frame.height), strict=True):
        stored = np.frombuffer(memoryview(plane), np.uint8).reshape(lines, -1)
        if plane.line_size < 0:
            stored = stored[::-1]
        wide = min(stored.shape[1], size)
        place = np.frombuffer(target, np.uint8, lines * size, at).reshape(lines, size)
        np.copyto(place[:, :wide], stored[:, :wide])
        at += lines * size


def taken(words: Words, source: memoryview) -> VideoFrame:
    """A frame with the bytes of ``source``, copied."""
    frame: Any = VideoFrame(words["width"], words["height"], words["format"])
    at = 0
    for plane in frame.planes:
        plane.update(source[at : at + plane.buffer_size])
        at += plane.buffer_size
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = words["colours"]
    made: VideoFrame = sited(frame, words["siting"])
    return made
