"""Frames as everything after decoding expects them: progressive, of standard dynamic range."""

from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc

_HDR = frozenset({int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)})
_TO_SDR = "intent=perceptual:out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv"


def normal(frame: VideoFrame) -> VideoFrame:
    """``frame`` itself, or what stands in for it when it is interlaced or of high dynamic range.

    Of an interlaced frame one field is taken and stretched: no neighbours are needed, so a frame looks the same in
    whatever range it is decoded.  PQ and HLG are tone-mapped to BT.709 by FFmpeg's perceptual intent.
    """
    hdr = int(frame.color_trc) in _HDR
    if not hdr and not frame.interlaced_frame:
        return frame
    interlaced = bool(frame.interlaced_frame)
    graph = _graph(frame.width, frame.height, frame.format.name, str(frame.time_base), interlaced, hdr)
    try:
        graph.push(frame)
        made = graph.pull()
    except BaseException:  # a frame left inside would come out as the next one
        with suppress(av.FFmpegError):
            while True:
                graph.pull()
        raise
    assert isinstance(made, VideoFrame)
    return made


@lru_cache(maxsize=4)
def _graph(width: int, height: int, pixel_format: str, time_base: str, interlaced: bool, hdr: bool) -> Any:
    """Kept, as the tables of a tone map take seconds to make."""
    graph = Graph()
    last: Any = graph.add_buffer(
        width=width, height=height, format=VideoFormat(pixel_format), time_base=Fraction(time_base)
    )
    steps = [("field", "top")] if interlaced else []
    steps.append(("scale", f"{width}:{height}" + (f":{_TO_SDR}" if hdr else "")))
    if hdr:
        steps.append(("format", "yuv420p"))
    for name, options in [*steps, ("buffersink", None)]:
        step = graph.add(name, options)
        last.link_to(step)
        last = step
    graph.configure()
    return graph
