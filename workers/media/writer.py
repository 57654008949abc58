"""Encode a frame range to a piece, and join pieces and the source's audio without encoding the video again."""

import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
from av.packet import Packet

from schema.options import Options
from schema.plan import Plan
from workers.media.annotator import Annotator
from workers.media.container import opened
from workers.media.encoders import SOFTWARE, add_video, copy_colour, open_encoder
from workers.media.frames import ShownFrame
from workers.media.history import DrawnPerson
from workers.media.sound import OpenSound, Timed, opened_sound
from workers.storage.ranged import RangedFile
from workers.storage.several import answers
from workers.telemetry.measure import computing

PIECE_FORMAT = "nut"
"""Keeps time stamps in the source's own time base."""

_PIECES_AHEAD = 3

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

    Raises:
        DeviceLost: the GPU's encoder does not open.
    """
    shift, time_base = lead_in(plan), Fraction(plan.stream.time_base)
    annotator = Annotator(plan.stream, options, past)
    count = 0
    with av.open(target, "w", format=PIECE_FORMAT) as piece:
        size = (annotator.width, annotator.height)
        video: Any = add_video(piece, plan.stream, options, size, nvenc=nvenc)
        for shown, people in frames:
            with computing("draw"):
                frame = annotator.draw(shown, people)
            frame.pts, frame.time_base = shown.pts + shift, time_base
            if count == 0:
                copy_colour(frame, video.codec_context)
                open_encoder(video.codec_context)
            with computing("encode"):
                piece.mux(video.encode(frame))
            count += 1
        if count:
            with computing("encode"):
                piece.mux(video.encode(None))
    return count


def join(
    pieces: list[RangedFile],
    source: RangedFile,
    plan: Plan,
    options: Options,
    target: Path,
    open_sound: OpenSound | None = opened_sound,
) -> None:
    """Write the MP4 ``target``: the pieces' video as it is, and the source's audio, on the source's times.

    Args:
        pieces: of the video, in order.
        source: where the sound is.
        plan: of the video.
        options: what the pieces were encoded with.
        target: the file.
        open_sound: how the sound is read; none leaves it out.
    """
    time_base = Fraction(plan.stream.time_base)
    scale = time_base.denominator
    muxer = {"movflags": "+faststart", "movie_timescale": str(scale), "video_track_timescale": str(scale)}
    with av.open(str(target), "w", format="mp4", options=muxer) as output, opened(pieces[0]) as first:
        video: Any = output.add_stream_from_template(first.streams.video[0], opaque=True)
        video.codec_context.codec_tag = SOFTWARE[options.codec].tag
        if plan.stream.has_audio and open_sound is not None:
            with open_sound(source) as sound:
                audio = _later(sound(output), lead_in(plan) * time_base)
                for _, packet in heapq.merge(_piece_packets(pieces, video), audio, key=_time):
                    _mux(output, packet, strict=packet.stream is video)
        else:
            for _, packet in _piece_packets(pieces, video):
                output.mux(packet)


def _mux(output: Any, packet: "Packet[Any]", *, strict: bool) -> None:
    """Add a packet; one of the sound is left out where its times make no sense."""
    try:
        output.mux(packet)
    except (av.InvalidDataError, av.ArgumentError):
        if strict:
            raise


def _later(timed: Iterator[Timed], shift: Fraction) -> Iterator[Timed]:
    """Move packets by ``shift`` seconds."""
    for time, packet in timed:
        if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
            ticks = round(shift / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        yield time + float(shift), packet


def _time(timed: Timed) -> float:
    return timed[0]


def _piece_packets(pieces: list[RangedFile], video: Any) -> Iterator[Timed]:
    """Packets of all pieces; without B-frames they are decoded in the order in which they are shown."""
    for piece in answers(_begun, pieces, _PIECES_AHEAD):
        with opened(piece) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is not None and packet.time_base is not None:
                    packet.dts = packet.pts
                    packet.stream = video
                    yield float(packet.pts * packet.time_base), packet
        piece.forget()


def _begun(piece: RangedFile) -> RangedFile:
    """A piece whose beginning, mostly all of it, has been fetched."""
    piece.begin()
    return piece
