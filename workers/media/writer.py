"""Encode a frame range to a piece, and join pieces and the source's audio without encoding the video again."""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from schema.plan import Plan, Stream
from workers.media.container import opened
from workers.media.drawing import Canvas, DrawnPerson
from workers.media.frames import ShownFrame
from workers.media.orientation import Orientation
from workers.storage.ranged import RangedFile

#: Audio that every browser plays from an MP4; anything else becomes AAC.
_COPIED_AUDIO = frozenset({"aac", "mp3", "opus", "flac"})
_ENCODER = {"preset": "superfast", "crf": "23", "bf": "0", "threads": "1"}
PIECE_FORMAT = "nut"
"""Keeps time stamps in the source's own time base."""


def even(size: int) -> int:
    """The nearest even size that 4:2:0 pictures can have."""
    return max(2, size - size % 2)


class Annotator:
    """Turns source frames into frames of the annotated video: as displayed, even size, yuv420p, people drawn."""

    def __init__(self, stream: Stream) -> None:
        self.width, self.height = even(stream.display_width), even(stream.display_height)
        self._scale = np.array([self.width / stream.display_width, self.height / stream.display_height])
        self._orientation = Orientation(stream.rotation, stream.mirrored)
        self._reformatter = VideoReformatter()

    def draw(self, frame: VideoFrame, people: list[DrawnPerson]) -> VideoFrame:
        """A new frame with ``people`` (in pixels of the displayed picture) drawn on ``frame``."""
        width, height = self.width, self.height
        if self._orientation.swaps_sides:
            width, height = height, width
        scaled = self._reformatter.reformat(frame, width, height, "yuv420p", dst_color_range=ColorRange.MPEG, threads=1)
        flat = np.empty(self.width * self.height * 3 // 2, np.uint8)
        planes = self._planes(flat)
        for target, plane in zip(planes, scaled.planes, strict=True):
            stored = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            target[...] = self._orientation.apply(stored)
        Canvas.yuv420(*planes).people([self._scaled(person) for person in people])
        made = VideoFrame.from_ndarray(flat.reshape(-1, self.width), format="yuv420p")
        made.colorspace, made.color_range = frame.colorspace, ColorRange.MPEG
        return made

    def _planes(self, flat: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
        luma, chroma = self.width * self.height, self.width * self.height // 4
        half = (self.height // 2, self.width // 2)
        return (
            flat[:luma].reshape(self.height, self.width),
            flat[luma : luma + chroma].reshape(half),
            flat[luma + chroma :].reshape(half),
        )

    def _scaled(self, person: DrawnPerson) -> DrawnPerson:
        keypoints = person.keypoints.copy()
        keypoints[:, :2] *= self._scale
        box = person.box * np.concatenate([self._scale, self._scale])
        return DrawnPerson(person.track_id, keypoints, box.astype(np.float32))


def lead_in(plan: Plan) -> int:
    """Ticks to add to every time so that no frame is shown before zero, which players would hide."""
    return max(0, -plan.ranges[0].first_pts)


def encode_piece(frames: Iterable[tuple[ShownFrame, list[DrawnPerson]]], plan: Plan, target: IO[bytes]) -> int:
    """Draw and encode ``frames`` into one closed piece without B-frames; how many there were."""
    stream, shift = plan.stream, lead_in(plan)
    annotator = Annotator(stream)
    time_base = Fraction(stream.time_base)
    count = 0
    with av.open(target, "w", format=PIECE_FORMAT) as piece:
        video: Any = piece.add_stream("libx264", rate=_rate(stream), options=_ENCODER)
        video.width, video.height, video.pix_fmt = annotator.width, annotator.height, "yuv420p"
        video.codec_context.time_base = video.time_base = time_base
        for shown, people in frames:
            frame = annotator.draw(shown.picture, people)
            frame.pts, frame.time_base = shown.pts + shift, time_base
            if count == 0:
                _copy_colour(shown.picture, video.codec_context)
            piece.mux(video.encode(frame))
            count += 1
        if count:
            piece.mux(video.encode(None))
    return count


def _rate(stream: Stream) -> Fraction:
    return Fraction(max(stream.frame_rate, 1.0)).limit_denominator(1001)


def _copy_colour(frame: VideoFrame, context: Any) -> None:
    context.color_range = ColorRange.MPEG
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc


def join(pieces: list[RangedFile], source: RangedFile, plan: Plan, target: Path) -> None:
    """Write the MP4 ``target``: the pieces' video as it is, and the source's audio, on the source's times."""
    time_base = Fraction(plan.stream.time_base)
    scale = time_base.denominator
    options = {"movflags": "+faststart", "movie_timescale": str(scale), "video_track_timescale": str(scale)}
    with av.open(str(target), "w", format="mp4", options=options) as output, opened(pieces[0]) as first:
        video: Any = output.add_stream_from_template(first.streams.video[0])
        if plan.stream.has_audio:
            _join_with_audio(output, video, pieces, source, lead_in(plan) * time_base)
        else:
            for _, packet in _piece_packets(pieces, video):
                output.mux(packet)


def _join_with_audio(output: Any, video: Any, pieces: list[RangedFile], source: RangedFile, shift: Fraction) -> None:
    with opened(source) as container:
        audio = _later(_audio_packets(container, output), shift)
        for _, packet in heapq.merge(_piece_packets(pieces, video), audio, key=_time):
            output.mux(packet)


def _later(timed: Iterator[tuple[float, "Packet[Any]"]], shift: Fraction) -> Iterator[tuple[float, "Packet[Any]"]]:
    """Move packets by ``shift`` seconds."""
    for time, packet in timed:
        if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
            ticks = round(shift / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        yield time + float(shift), packet


def _time(timed: tuple[float, "Packet[Any]"]) -> float:
    return timed[0]


def _piece_packets(pieces: list[RangedFile], video: Any) -> Iterator[tuple[float, "Packet[Any]"]]:
    """Packets of all pieces; without B-frames they are decoded in the order in which they are shown."""
    for piece in pieces:
        with opened(piece) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is not None and packet.time_base is not None:
                    packet.dts = packet.pts
                    packet.stream = video
                    yield float(packet.pts * packet.time_base), packet


def _audio_packets(container: Any, output: Any) -> Iterator[tuple[float, "Packet[Any]"]]:
    source = container.streams.audio[0]
    if source.codec_context is None:
        return iter(())
    if source.codec_context.codec.canonical_name in _COPIED_AUDIO:
        return _copied(container, source, output.add_stream_from_template(source))
    return _encoded(container, source, output.add_stream("aac", rate=source.codec_context.sample_rate or 48_000))


def _copied(container: Any, source: Any, target: Any) -> Iterator[tuple[float, "Packet[Any]"]]:
    for packet in container.demux(source):
        if packet.dts is not None:
            time = float(packet.dts * packet.time_base)
            packet.stream = target
            yield time, packet


def _encoded(container: Any, source: Any, target: Any) -> Iterator[tuple[float, "Packet[Any]"]]:
    """The source's sound as AAC; times count samples from the first one's time."""
    target.layout = "stereo" if source.codec_context.channels > 1 else "mono"
    resampler = AudioResampler("fltp", target.layout, target.rate, frame_size=1024)
    step = Fraction(1, target.rate)
    position: int | None = None
    for decoded in _sound(container, source):
        if position is None:
            position = 0 if decoded is None else round((decoded.time or 0.0) / step)
        for ready in resampler.resample(decoded):
            ready.pts, ready.time_base = position, step
            position += ready.samples
            yield from _timed(target.encode(ready))
    yield from _timed(target.encode(None))


def _sound(container: Any, source: Any) -> Iterator[Any]:
    """Decoded frames, without those that are broken; none at the end."""
    for packet in container.demux(source):
        with suppress(av.FFmpegError):
            yield from packet.decode()
    yield None


def _timed(packets: list["Packet[Any]"]) -> Iterator[tuple[float, "Packet[Any]"]]:
    for packet in packets:
        if packet.dts is not None and packet.time_base is not None:
            yield float(packet.dts * packet.time_base), packet
