"""Read the container's index: which frames are shown, when, and where decoding may begin. No pixels but one frame.

Of an MP4 or MOV file only its boxes are fetched, never the payload.  Sample tables are read as arrays; where they are
out of the ordinary (fragments, edit lists that hide frames) FFmpeg's demuxer walks the file, with zeros in place of
the payload.  Other containers are demuxed once, from the first byte to the last.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from schema.errors import EncryptedVideo, NoFrames, VideoError
from schema.plan import Stream
from workers.media.boxes import Skeleton, boxes, read_skeleton
from workers.media.container import check_declared, opened, packets_of, video_stream
from workers.media.facts import facts_of
from workers.media.limits import LIMITS, Limits, memory_named
from workers.media.packets import NO_TIME, Ints, Packets
from workers.media.samples import Track, Unusual
from workers.media.windows import (
    MovieWindows,
    StreamWindows,
    WindowFile,
    Windows,
    clusters,
    slim,
    transport_header,
)
from workers.storage.ranged import RangedFile

_PROBED_PACKETS = 600
#: What numbers that contradict each other raise, in numpy, in struct and in FFmpeg's wrapper.
_DAMAGE = (struct.error, LookupError, ValueError, ArithmeticError, TypeError, av.FFmpegError)


@dataclass(frozen=True)
class FrameTable:
    """Displayed frames in order, times in ticks of the stream's time base."""

    pts: Ints
    """``[frames]`` strictly rising presentation time stamps, or ``[frames]`` zeros when ``sequential``."""
    order: NDArray[np.intp]
    """``[frames]`` which packet shows each."""
    keys: NDArray[np.intp]
    """``[keys]`` packets that decoding can begin at, by presentation time."""
    key_pts: Ints
    """``[keys]`` their presentation time stamps."""
    packets: Packets
    end_pts: int
    """End of the last frame."""
    sequential: bool = False
    """Time stamps are missing or repeat, so frames can only be counted from the start."""
    shifts: tuple[tuple[int, int], ...] = ((0, 0),)
    """Where time stamps jump back: from which packet on, and what is added to them from there."""


@dataclass(frozen=True)
class VideoIndex:
    """What the container says of its video."""

    stream: Stream
    table: FrameTable
    warnings: tuple[str, ...]
    windows: Windows | None
    """None where the file can only be read as a whole."""


def read_index(file: RangedFile, limits: Limits = LIMITS) -> VideoIndex:
    """Read the index of the video in ``file``.

    Raises:
        VideoError: it is not a video, has no video stream, is encrypted, shows no frame, or is too large.
    """
    limits.check_bytes(file.size)
    try:
        with damage_named():
            index = _read(file, limits)
    except NoFrames:
        check_declared(file, limits)
        raise
    limits.check(index.stream)
    return index


@contextmanager
def damage_named() -> Iterator[None]:
    """What numbers that contradict each other raise becomes a `VideoError`."""
    try:
        with memory_named():
            yield
    except _DAMAGE as error:
        raise VideoError(f"the file's index is damaged ({type(error).__name__})") from error


def _read(file: RangedFile, limits: Limits) -> VideoIndex:
    skeleton = read_skeleton(file)
    if skeleton is not None and not skeleton.fragmented:
        try:
            return _of_tables(file, skeleton, limits)
        except MemoryError:
            raise
        except (Unusual, *_DAMAGE):
            pass  # FFmpeg may make more of it
    return _of_packets(file, skeleton, limits)


def _of_tables(file: RangedFile, skeleton: Skeleton, limits: Limits) -> VideoIndex:
    """The index of an MP4 or MOV file as its sample tables have it."""
    moov = skeleton.first(b"moov")
    if moov is None:
        raise Unusual("there is no index")
    every = _tracks(moov)
    tracks = [track for track in every if track.kind == b"vide"]
    has_audio = any(track.kind == b"soun" for track in every)
    claimed = sum(track.count for track in tracks)
    if claimed > file.size:
        raise VideoError("the file claims to have more frames than fit into it")
    limits.check_frames(claimed)
    all_samples = {track.number: track.samples() for track in tracks}
    header = slim(skeleton, [(track, *all_samples[track.number]) for track in tracks], _PROBED_PACKETS)
    whole = WindowFile(header, file, 0, file.size)
    with opened(whole, limits) as container:
        stream = video_stream(container, limits)
        track = next((each for each in tracks if each.number == stream.id), None)
        if track is None:
            raise Unusual("the track is not found")
        if track.encrypted:
            raise EncryptedVideo("the video stream is encrypted")
        first = _first_frame(container, stream)
        packets, descriptions = all_samples[track.number]
        promised, there = len(packets), packets.positions + packets.sizes <= file.size
        packets = track.edited(packets, _movie_scale(moov)).pick(there)
        table = _table(packets)
        facts = facts_of(container, stream, first, table.pts, table.end_pts, has_audio=has_audio)
        return VideoIndex(
            facts.model_copy(update={"index": every.index(track)}),
            table,
            _cut_off(promised, len(packets)),
            MovieWindows(skeleton, track, descriptions[there]),
        )


def _tracks(moov: memoryview) -> list[Track]:
    return [Track.of_box(each.body) for each in boxes(moov) if each.kind == b"trak"]


def _movie_scale(moov: memoryview) -> int:
    mvhd = dict(boxes(moov)).get(b"mvhd")
    if mvhd is None or len(mvhd) < 24:
        raise Unusual("the movie has no header")
    at = 20 if mvhd[0] == 1 else 12
    return int.from_bytes(mvhd[at : at + 4], "big") or 1


def _of_packets(file: RangedFile, skeleton: Skeleton | None, limits: Limits) -> VideoIndex:
    """The index of any file, as its packets tell."""
    if skeleton is not None:
        skeleton.filling = file
    with opened(skeleton or file, limits) as container:
        stream = video_stream(container, limits)
        first = _first_frame(container, stream)
    if skeleton is not None:
        skeleton.filling = None
    with opened(skeleton or file, limits) as container:
        stream = video_stream(container, limits)
        packets = Packets.demuxed(packets_of(container, stream), limits)
        if skeleton is not None:
            keys = np.array([each.timestamp for each in stream.index_entries if each.is_keyframe], np.int64)
            packets = replace(packets, key=np.isin(packets.dts, keys))
        windows = _windows(file, skeleton, container, stream, packets)
        table = _table(packets, parts=windows is not None)
        has_audio = bool(container.streams.audio)
        facts = facts_of(container, stream, first, table.pts, table.end_pts, has_audio=has_audio)
        return VideoIndex(facts, table, _warnings(stream, len(packets), skeleton), windows)


def _windows(
    file: RangedFile, skeleton: Skeleton | None, container: InputContainer, stream: VideoStream, packets: Packets
) -> Windows | None:
    """How parts of the file can be read on their own."""
    if not len(packets) or (packets.positions < 0).any():
        return None
    name = container.format.name
    if skeleton is not None and (moov := skeleton.first(b"moov")) is not None:
        tracks = {track.number: track for track in _all_tracks(moov)}
        if stream.id in tracks and (np.diff(packets.dts) >= 0).all():
            return MovieWindows(skeleton, tracks[stream.id], np.ones(len(packets), np.int32))
    elif name == "mpegts" and (header := transport_header(file)):
        return StreamWindows(header, file.size)
    elif "matroska" in name:
        starts = np.array([each.pos for each in stream.index_entries], np.int64)
        header, found = clusters(file, starts)
        return StreamWindows(header, file.size, found) if header else None
    return None


def _all_tracks(moov: memoryview) -> list[Track]:
    try:
        return _tracks(moov)
    except Unusual:
        return []


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """The first frame that decodes: it carries the picture's size and orientation."""
    encrypted = False
    for number, packet in enumerate(packets_of(container, stream)):
        encrypted = encrypted or packet.has_sidedata("encryption_info")
        try:
            frames: list[VideoFrame] = packet.decode()
            if frames:
                return frames[0]
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            pass
        if number >= _PROBED_PACKETS:
            break
    if encrypted:
        raise EncryptedVideo("the video stream is encrypted")
    raise NoFrames("no frame of the video stream can be decoded")


def _table(packets: Packets, *, parts: bool = False) -> FrameTable:
    """Frames in order of display.

    Args:
        packets: all of them.
        parts: whether what follows a jump back in time can be read on its own.
    """
    if not packets.shown.any():
        raise NoFrames("the video stream shows no frame")
    shifts = _jumps(packets) if parts else ((0, 0),)
    pts = _unrolled(packets.pts, shifts)
    shown = np.flatnonzero(packets.shown)
    order = shown[np.argsort(pts[shown], kind="stable")]
    times = pts[order]
    if (packets.pts == NO_TIME).any() or (np.diff(times) <= 0).any():
        ticks, none = int(packets.durations.sum()), np.zeros(0, np.int64)
        return FrameTable(np.zeros(len(shown), np.int64), none, none, none, packets, ticks, sequential=True)
    keys = np.flatnonzero(packets.key & (packets.dts != NO_TIME))
    keys = keys[np.argsort(pts[keys], kind="stable")]
    last = int(packets.durations[order[-1]]) or (int(np.median(np.diff(times))) if len(times) > 1 else 1)
    return FrameTable(times, order, keys, pts[keys], packets, int(times[-1]) + last, shifts=shifts)


def _jumps(packets: Packets) -> tuple[tuple[int, int], ...]:
    """Where decode times fall back, and what makes what follows go on where the part before it ended."""
    starts = [0, *(np.flatnonzero(np.diff(packets.dts) < 0) + 1).tolist(), len(packets)]
    shifts, end = [(0, 0)], None
    for start, stop in pairwise(starts):
        pts = packets.pts[start:stop]
        if end is not None:
            shifts.append((start, end - int(pts.min())))
        end = int(pts.max()) + shifts[-1][1] + max(1, int(packets.durations[start:stop].max()))
    return tuple(shifts)


def _unrolled(pts: Ints, shifts: tuple[tuple[int, int], ...]) -> Ints:
    if len(shifts) == 1:
        return pts
    added = np.zeros(len(pts), np.int64)
    for start, shift in shifts:
        added[start:] = shift
    return pts + added


def _warnings(stream: VideoStream, packets: int, skeleton: Skeleton | None) -> tuple[str, ...]:
    """What is missing from a file that was cut off."""
    entries = stream.index_entries
    if skeleton is None or not entries or not skeleton.payload or skeleton.payload[-1][1] < skeleton.size:
        return ()
    return _cut_off(len(entries), packets)


def _cut_off(promised: int, there: int) -> tuple[str, ...]:
    missing = promised - there
    return (f"the file is cut off: {missing} of {promised} frames of its index are not there",) if missing > 0 else ()


def whole(index: VideoIndex) -> list[tuple[int, int]]:
    """All frames as one range, or as one for each part between jumps in time."""
    starts = [int(np.searchsorted(index.table.order, packet)) for packet, _ in index.table.shifts]
    return [(a, b) for a, b in zip(starts, [*starts[1:], index.stream.frames], strict=True) if a < b]
