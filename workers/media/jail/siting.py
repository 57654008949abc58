"""Where the chroma samples of a frame lie, which its planes do not tell and scaling needs to know."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av.logging
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

UNKNOWN = "unspecified"
_PLACES = frozenset({UNKNOWN, "left", "center", "topleft", "top", "bottomleft", "bottom"})
_LINE = re.compile(r"\bcl:(\w+)")


def siting_of(frame: VideoFrame) -> str:
    """FFmpeg's word for it, as its filter ``showinfo`` reports."""
    graph = _graph("showinfo", None, frame.width, frame.height, frame.format.name)
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines:
            graph.push(frame)
            graph.pull()
    finally:
        av.logging.set_level(before)
    found = [match[1] for _, _, line in lines if (match := _LINE.search(line))]
    return found[0] if found and found[0] in _PLACES else UNKNOWN


def sited(frame: VideoFrame, place: str) -> VideoFrame:
    """``frame`` with the word noted in it, nothing copied; raises ValueError for another word."""
    if place == UNKNOWN:
        return frame
    if place not in _PLACES:
        raise ValueError("there is no such place")
    options = f"chroma_location={place}"
    graph = _kept("setparams", options, frame.width, frame.height, frame.format.name)
    graph.push(frame)
    made = graph.pull()
    assert isinstance(made, VideoFrame)
    return made


def _graph(step: str, options: str | None, width: int, height: int, pixel_format: str) -> Any:
    graph = Graph()
    first: Any = graph.add_buffer(width=width, height=height, format=VideoFormat(pixel_format), time_base=Fraction(1))
    middle, last = graph.add(step, options), graph.add("buffersink")
    first.link_to(middle)
    middle.link_to(last)
    graph.configure()
    return graph


_kept = lru_cache(maxsize=4)(_graph)
