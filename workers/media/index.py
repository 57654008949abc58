"""Read the container's index: which frames are shown, when, and where decoding may begin. No pixels but one frame.

FFmpeg's own demuxer walks the file, so edit lists, fragments and reordering mean what they mean to players.  The
payload of an MP4 or MOV file is left out (zeros stand in for it), so only the index is fetched.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from schema.errors import EncryptedVideo, NoFrames
from schema.plan import Stream
from workers.media.container import opened, video_stream
from workers.media.isobmff import payload_ranges
from workers.media.orientation import Orientation
from workers.storage.ranged import RangedFile

_PROBED_PACKETS = 600
_DISPLAY_MATRIX = "DISPLAYMATRIX"


@dataclass(frozen=True)
class FrameTable:
    """Displayed frames in order, times in ticks of the stream's time base."""

    pts: NDArray[np.int64]
    """``[frames]`` strictly rising presentation time stamps, or ``[frames]`` zeros when ``sequential``."""
    key_pts: NDArray[np.int64]
    """``[keys]`` rising presentation time stamps of the key frames."""
    key_dts: NDArray[np.int64]
    """``[keys]`` their decode time stamps: what to seek to."""
    end_pts: int
    """End of the last frame."""
    sequential: bool
    """Time stamps are missing or repeat, so frames can only be counted from the start."""


@dataclass(frozen=True)
class VideoIndex:
    """What the container says of its video."""

    stream: Stream
    table: FrameTable
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    shown: bool


def read_index(file: RangedFile) -> VideoIndex:
    """Read the index of the video in ``file``.

    Raises:
        VideoError: it is not a video, has no video stream, is encrypted, or shows no frame.
    """
    holes = payload_ranges(file)
    with opened(file) as container:
        stream = video_stream(container)
        first = _first_frame(container, stream)
    with opened(file) as container:
        stream = video_stream(container)
        file.leave_out(holes)
        packets = _packets(container, stream)
        file.leave_out([])
        if not any(packet.shown for packet in packets):
            raise NoFrames("the video stream shows no frame")
        table = _table(packets)
        warnings = _warnings(stream, len(packets), file, holes)
        return VideoIndex(_facts(container, stream, first, table), table, warnings)


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame that decodes: it carries the picture's size and orientation."""
    encrypted = False
    for number, packet in enumerate(container.demux(stream)):
        encrypted = encrypted or packet.has_sidedata("encryption_info")
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError:
            pass
        if number >= _PROBED_PACKETS:
            break
    if encrypted:
        raise EncryptedVideo("the video stream is encrypted")
    raise NoFrames("no frame of the video stream can be decoded")


def _packets(container: InputContainer, stream: VideoStream) -> list[_Packet]:
    """All packets; key frames as the sample table has them, since a left-out payload cannot tell."""
    found = [
        _Packet(p.pts, p.dts, p.duration or 0, p.is_keyframe, not p.is_discard)
        for p in container.demux(stream)
        if p.size
    ]
    if "mp4" not in container.format.name:
        return found
    keys = {entry.timestamp for entry in stream.index_entries if entry.is_keyframe}
    return [replace(p, key=p.dts in keys) for p in found]


def _table(packets: list[_Packet]) -> FrameTable:
    timed = sorted((p for p in packets if p.pts is not None), key=_pts)
    shown = [p for p in timed if p.shown]
    pts = np.array([p.pts for p in shown], np.int64)
    sequential = len(timed) < len(packets) or bool((np.diff(pts) <= 0).any())
    if sequential:
        ticks = sum(p.duration for p in packets)
        empty = np.zeros(0, np.int64)
        return FrameTable(np.zeros(sum(p.shown for p in packets), np.int64), empty, empty, ticks, True)
    keys = [p for p in timed if p.key and p.dts is not None]
    last = shown[-1].duration or (int(np.median(np.diff(pts))) if len(pts) > 1 else 1)
    return FrameTable(
        pts,
        np.array([p.pts for p in keys], np.int64),
        np.array([p.dts for p in keys], np.int64),
        int(pts[-1]) + last,
        False,
    )


def _pts(packet: _Packet) -> int:
    return packet.pts or 0


def _facts(container: InputContainer, stream: VideoStream, first: VideoFrame, table: FrameTable) -> Stream:
    context = stream.codec_context
    aspect = Fraction(stream.sample_aspect_ratio or context.sample_aspect_ratio or 1)
    orientation = _orientation(first)
    width = max(1, round(first.width * aspect))
    size = (first.height, width) if orientation.swaps_sides else (width, first.height)
    time_base = Fraction(stream.time_base or Fraction(1, 90_000))
    span = table.end_pts - (int(table.pts[0]) if len(table.pts) else 0)
    duration = float(span * time_base)
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
        frames=len(table.pts),
        duration_s=duration,
        variable_frame_rate=_variable(table.pts),
        frame_rate=len(table.pts) / duration if duration > 0 else 0.0,
        has_audio=bool(container.streams.audio),
    )


def _variable(pts: NDArray[np.int64]) -> bool:
    """Whether frames differ in length by more than rounding to ticks explains."""
    steps = np.diff(pts)
    if len(steps) < 2:
        return False
    spread = int(steps.max() - steps.min())
    return spread > 2 and spread > 0.1 * float(np.median(steps))


def _orientation(frame: VideoFrame) -> Orientation:
    return next(
        (Orientation.of_matrix(bytes(data)) for data in _side_data(frame) if data.type.name == _DISPLAY_MATRIX),
        Orientation(),
    )


def _side_data(frame: Any) -> list[Any]:
    return list(frame.side_data)


def _warnings(stream: VideoStream, packets: int, file: RangedFile, holes: list[tuple[int, int]]) -> tuple[str, ...]:
    """What is missing from a file that was cut off."""
    promised = len(stream.index_entries) if holes else packets
    missing = promised - packets if stream.index_entries and holes and holes[-1][1] >= file.size else 0
    if missing <= 0:
        return ()
    return (f"the file is cut off: {missing} of {promised} frames of its index are not there",)
