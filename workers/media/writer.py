"""Encode a frame range to a piece, and join pieces and the source's audio without encoding the video again."""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
from av.audio.resampler import AudioResampler
from av.packet import Packet

from schema.options import Options
from schema.plan import Plan
from workers.media.annotator import Annotator
from workers.media.container import opened
from workers.media.encoders import COPIED_AUDIO, SOFTWARE, add_video, copy_colour
from workers.media.frames import ShownFrame
from workers.media.history import DrawnPerson
from workers.storage.ranged import RangedFile

PIECE_FORMAT = "nut"
"""Keeps time stamps in the source's own time base."""

People = list[DrawnPerson]


def lead_in(plan: Plan) -> int:
    """Ticks to add to every time so that no frame is shown before zero, which players would hide."""
    return max(0, -plan.ranges[0].first_pts)


def encode_piece(
    frames: Iterable[tuple[ShownFrame, People]],
    plan: Plan,
    options: Options,
    target: IO[bytes],
    past: Iterable[tuple[float, People]] = (),
    *,
    nvenc: bool = False,
) -> int:
    """Draw and encode ``frames`` into one closed piece without B-frames; how many there were.

    Args:
        frames: of one range, with the people in them.
        plan: of the video.
        options: style, scale, codec and quality.
        target: where the piece goes.
        past: people of the seconds before, with their times.
        nvenc: encode on the GPU.
    """
    shift, time_base = lead_in(plan), Fraction(plan.stream.time_base)
    annotator = Annotator(plan.stream, options, past)
    count = 0
    with av.open(target, "w", format=PIECE_FORMAT) as piece:
        size = (annotator.width, annotator.height)
        video: Any = add_video(piece, plan.stream, options, size, nvenc=nvenc)
        for shown, people in frames:
            frame = annotator.draw(shown, people)
            frame.pts, frame.time_base = shown.pts + shift, time_base
            if count == 0:
                copy_colour(frame, video.codec_context)
            piece.mux(video.encode(frame))
            count += 1
        if count:
            piece.mux(video.encode(None))
    return count


def join(pieces: list[RangedFile], source: RangedFile, plan: Plan, options: Options, target: Path) -> None:
    """Write the MP4 ``target``: the pieces' video as it is, and the source's audio, on the source's times."""
    time_base = Fraction(plan.stream.time_base)
    scale = time_base.denominator
    muxer = {"movflags": "+faststart", "movie_timescale": str(scale), "video_track_timescale": str(scale)}
    with av.open(str(target), "w", format="mp4", options=muxer) as output, opened(pieces[0]) as first:
        video: Any = output.add_stream_from_template(first.streams.video[0], opaque=True)
        video.codec_context.codec_tag = SOFTWARE[options.codec].tag
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
    if source.codec_context.codec.canonical_name in COPIED_AUDIO:
        return _copied(container, source, output.add_stream_from_template(source, opaque=True))
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
