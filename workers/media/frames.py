"""Decode the frames of a range: begin at its key frame, keep what lies inside, go on after broken packets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from schema.plan import FrameRange, Plan
from workers.media.container import opened, video_stream
from workers.storage.ranged import RangedFile


@dataclass(frozen=True)
class ShownFrame:
    """A decoded frame and its presentation time stamp in ticks of the stream's time base."""

    pts: int
    picture: VideoFrame


def decode_range(file: RangedFile, plan: Plan, wanted: FrameRange) -> Iterator[ShownFrame]:
    """Frames of ``wanted`` in order of display.

    Frames that cannot be decoded are left out: the caller counts.

    Raises:
        VideoError: the container does not open.
        StorageUnavailable, SourceChanged: from reading.
    """
    with opened(file) as container:
        if plan.sequential:
            yield from _rising(_decoded(container, video_stream(container)))
            return
        yield from _from_key_frame(container, wanted)


def _from_key_frame(container: InputContainer, wanted: FrameRange) -> Iterator[ShownFrame]:
    """Decode from the planned key frame; from the first byte when seeking went too far."""
    stream = video_stream(container)
    if wanted.seek_dts is not None:
        container.seek(wanted.seek_dts, stream=stream, backward=True, any_frame=False)
        first = next(_decoded(container, stream), None)
        late = first is None or _pts(first) > wanted.first_pts
        container.seek(0 if late else wanted.seek_dts, stream=None if late else stream, backward=True)
    for frame in _decoded(container, stream):
        pts = _pts(frame)
        if wanted.end_pts is not None and pts >= wanted.end_pts:
            return
        if pts >= wanted.first_pts:
            yield ShownFrame(pts, frame)


def _pts(frame: VideoFrame) -> int:
    return -(1 << 62) if frame.pts is None else frame.pts


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        try:
            frames: list[Any] = packet.decode()
        except (av.InvalidDataError, av.PatchWelcomeError, av.BugError, av.EOFError):
            continue
        yield from frames


def _rising(frames: Iterator[VideoFrame]) -> Iterator[ShownFrame]:
    """Give every frame a time stamp later than the one before: jumps back are bridged by one frame's length."""
    last, step, offset = None, 1, 0
    for frame in frames:
        step = frame.duration or step
        raw = frame.pts if frame.pts is not None else (0 if last is None else last + step - offset)
        if last is not None and raw + offset <= last:
            offset = last + step - raw
        last = raw + offset
        yield ShownFrame(last, frame)
