"""Decode the frames of a range: begin at its key frame, keep what lies inside, go on after broken packets."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from schema.errors import VideoError
from schema.plan import FrameRange, Plan
from workers.media.container import opened, packets_of, planned_stream, video_stream
from workers.media.limits import LIMITS, Limits, memory_named
from workers.media.normal import normal
from workers.media.packets import NO_TIME
from workers.media.windows import WindowFile
from workers.storage.ranged import RangedFile

_WRAPS = {"mpegts": 1 << 33}
_DECODE_TIMES = frozenset({"avi"})
"""Containers that tell when packets are decoded, not when frames are shown."""
_LONGEST_REORDER = 16


@dataclass(frozen=True)
class ShownFrame:
    """A decoded frame, progressive and of standard dynamic range, and when it is shown."""

    pts: int
    """Ticks of the stream's time base."""
    picture: VideoFrame
    damaged: bool = False
    """Whether it decoded with errors: some of it is made up."""


def decode_range(
    file: RangedFile,
    plan: Plan,
    wanted: FrameRange,
    header: bytes = b"",
    limits: Limits = LIMITS,
    passed: Callable[[], None] = lambda: None,
) -> Iterator[ShownFrame]:
    """Frames of ``wanted`` in order of display.

    Frames that cannot be decoded are left out: the caller counts.

    Args:
        file: the video.
        plan: how it is cut.
        wanted: one of the plan's ranges.
        header: that of the range's window; without, the whole file is opened and sought in.
        limits: on pixels.
        passed: called for every frame that decodes, wanted or not.

    Raises:
        VideoError: the container does not open, or its frames cannot be made plain.
        StorageUnavailable, SourceChanged: from reading.
    """
    frames = _frames(file, plan, wanted, header, limits, passed)
    while True:
        with memory_named():
            shown = next(frames, None)
            plain = None if shown is None else _plain(shown.picture)
        if shown is None or plain is None:
            return
        yield ShownFrame(shown.pts, plain, shown.picture.is_corrupt)


def _plain(frame: VideoFrame) -> VideoFrame:
    try:
        return normal(frame)
    except av.error.MemoryError:
        raise
    except av.FFmpegError as error:
        raise VideoError(f"frames of this kind cannot be converted: {error.strerror}") from error


def _frames(
    file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes, limits: Limits, passed: Callable[[], None]
) -> Iterator[ShownFrame]:
    if header and wanted.window is not None:
        yield from _inside(_from_window(file, plan, wanted, header, limits), wanted, passed)
        return
    if plan.sequential:
        with opened(file, limits) as container:
            yield from _rising(_decoded(container, planned_stream(container, plan.stream.index, limits), limits))
    else:
        found = _from_key_frame(file, plan.stream.index, wanted, limits)
        yield from _inside(_in_order(found) if plan.stream.container in _DECODE_TIMES else found, wanted, passed)


def _inside(frames: Iterator[ShownFrame], wanted: FrameRange, passed: Callable[[], None]) -> Iterator[ShownFrame]:
    for shown in frames:
        passed()
        if wanted.end_pts is not None and shown.pts >= wanted.end_pts:
            return
        if shown.pts >= wanted.first_pts:
            yield shown


def _from_window(
    file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes, limits: Limits
) -> Iterator[ShownFrame]:
    """Decode what the range's own bytes hold."""
    window = wanted.window
    assert window is not None
    movie = "mp4" in plan.stream.container
    period = _WRAPS.get(plan.stream.container)
    with opened(WindowFile(header, file, window.start, window.stop, seekable=movie), limits) as container:
        stream = video_stream(container, limits) if movie else planned_stream(container, plan.stream.index, limits)
        for frame in _decoded(container, stream, limits):
            pts = _pts(frame) + window.shift
            if period:
                pts += round((wanted.first_pts - pts) / period) * period
            yield ShownFrame(pts, frame)


def _from_key_frame(file: RangedFile, index: int, wanted: FrameRange, limits: Limits) -> Iterator[ShownFrame]:
    """Decode from the planned key frame; from the first byte when seeking went too far."""
    late = wanted.seek_dts is None
    if wanted.seek_dts is not None:
        with opened(file, limits) as container:
            stream = planned_stream(container, index, limits)
            late = not _sought(container, stream, wanted.seek_dts)
            for number, frame in enumerate([] if late else _decoded(container, stream, limits)):
                late = number == 0 and _pts(frame) > wanted.first_pts
                if late:
                    break
                yield ShownFrame(_pts(frame), frame)
    if late:
        with opened(file, limits) as container:
            for frame in _decoded(container, planned_stream(container, index, limits), limits):
                yield ShownFrame(_pts(frame), frame)


def _sought(container: InputContainer, stream: VideoStream, dts: int) -> bool:
    """Whether the container can go to the key frame at ``dts``."""
    try:
        container.seek(dts, stream=stream, backward=True, any_frame=False)
    except av.error.MemoryError:
        raise
    except (av.FFmpegError, OverflowError):
        return False
    return True


def _pts(frame: VideoFrame) -> int:
    return NO_TIME if frame.pts is None else frame.pts


def _decoded(container: InputContainer, stream: VideoStream, limits: Limits) -> Iterator[VideoFrame]:
    """All frames that decode; FFmpeg conceals errors of H.264 fully only with one thread."""
    stream.thread_type = "NONE" if limits.threads == 1 else "FRAME"
    stream.codec_context.thread_count = limits.threads
    for packet in packets_of(container, stream):
        try:
            frames: list[Any] = packet.decode()
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            continue
        yield from frames


def _in_order(frames: Iterator[ShownFrame]) -> Iterator[ShownFrame]:
    """Frames in the order in which they come, with their times in rising order."""
    waiting: deque[ShownFrame] = deque()
    times: list[int] = []
    for shown in frames:
        waiting.append(shown)
        heappush(times, shown.pts)
        if len(waiting) > _LONGEST_REORDER:
            yield replace(waiting.popleft(), pts=heappop(times))
    while waiting:
        yield replace(waiting.popleft(), pts=heappop(times))


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
