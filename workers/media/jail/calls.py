"""What stages and the split ask of sources; the answers come from a process that is confined."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from functools import cache
from itertools import chain
from mmap import mmap
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from schema.errors import DecoderDied, PictureError
from schema.plan import FrameRange, Plan, Stream
from schema.settings import current
from workers.core.letterbox import Letterbox
from workers.media.frames import ShownFrame
from workers.media.jail import planes, talk
from workers.media.jail.talk import Answer, Talk
from workers.media.jail.wire import Words
from workers.media.limits import Limits
from workers.media.pixels import Still, Views
from workers.media.scaler import Pixels
from workers.media.sound import Sound, Timed
from workers.storage.ahead import ReadAhead
from workers.storage.ranged import RangedFile


class ShownViews(NamedTuple):
    """A decoded frame scaled for a model, and when it is shown."""

    pts: int
    """Ticks of the stream's time base."""
    views: Views
    damaged: bool


_RANGES = TypeAdapter(list[FrameRange])
_PARTS = TypeAdapter(list[tuple[int, int]])
_TRIES = 2
"""How often one picture is read before its process's death is taken for its fault."""
_LATEST = 1 << 60
_MALFORMED = (
    ValidationError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    FFmpegError,
)


@cache
def limits() -> Limits:
    """What the settings of this process allow."""
    settings = current()
    return Limits(
        source_bytes=int(settings.max_source_gb * 2**30),
        pixels=settings.max_pixels,
        frames=settings.max_frames,
        duration_s=3600 * settings.max_duration_h,
        stall_s=settings.decoder_stall_s,
        memory_mb=settings.decoder_memory_mb,
        threads=settings.decoder_threads,
    )


def warm() -> None:
    """Start a process before there is something to read; raises `DecoderDied`."""
    talk.warm(limits())


def decode_range(file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes = b"") -> Iterator[ShownFrame]:
    """Like `workers.media.frames.decode_range`, ahead of whoever takes the frames; for errors see `opened_range`."""
    with opened_range(file, plan, wanted, header) as frames:
        yield from frames


@contextmanager
def opened_range(
    file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes = b""
) -> Iterator[Iterator[ShownFrame]]:
    """The frames of `decode_range`; decoding is told to stop when the block is left, whoever still waits for a frame.

    Raises:
        VideoError: the container does not open, or decoding takes too much memory.
        DecoderDied: decoding crashed or hung.
        StorageUnavailable, SourceChanged: from reading.
    """
    with (
        closing(_ahead(file, wanted)) as bytes_of,
        talk.asked(limits(), {"do": "decode", **_range(file, plan, wanted)}, header, bytes_of) as asked,
    ):
        time_base = Fraction(plan.stream.time_base)
        yield (_shown(asked, words, time_base) for words, _ in asked.answers())


@contextmanager
def opened_views(
    file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes, boxes: list[Letterbox]
) -> Iterator[Iterator[ShownViews]]:
    """Like `opened_range`, with each frame scaled into ``boxes`` where it was decoded; for errors see there."""
    sizes = [[box.content_width, box.content_height] for box in boxes]
    question = {"do": "view", **_range(file, plan, wanted), "sizes": sizes}
    with closing(_ahead(file, wanted)) as bytes_of, talk.asked(limits(), question, header, bytes_of) as asked:
        yield chain.from_iterable(_viewed(asked, words, boxes) for words, _ in asked.answers())


def _ahead(file: RangedFile, wanted: FrameRange) -> ReadAhead:
    window = wanted.window
    return ReadAhead(file, window.start, window.stop) if window else ReadAhead(file, 0, file.size)


def _range(file: RangedFile, plan: Plan, wanted: FrameRange) -> Words:
    alone = plan.model_copy(update={"ranges": (), "warnings": ()}).to_message()
    return {"size": file.size, "plan": alone, "wanted": wanted.model_dump(mode="json")}


def _shown(asked: Talk, words: Words, time_base: Fraction) -> ShownFrame:
    """The frame that an answer tells of, copied out of the ring."""
    with _checked():
        known, at, pts = words["frame"], _whole(words["at"]), _whole(words["pts"])
        asked.child.limits.check_pixels(_whole(known["width"]), _whole(known["height"]))
        size = planes.size_of(planes.layout_of(known["format"], known["width"], known["height"]))
        with memoryview(asked.child.memory) as memory, memory[at : at + size] as source:
            picture = planes.taken(known, source)
        picture.pts, picture.time_base = pts, time_base
        asked.took()
        return ShownFrame(pts, picture, bool(words["damaged"]))


def _viewed(asked: Talk, words: Words, boxes: list[Letterbox]) -> list[ShownViews]:
    """The views of the frames that an answer tells of, copied out of the ring."""
    with _checked():
        at, found = _whole(words["at"]), []
        for pts, damaged in words["views"]:
            found.append(ShownViews(_whole(pts), Views(), bool(damaged)))
            for box in boxes:
                found[-1].views[box] = _boxed(asked.child.memory, at, box)
                at += 3 * box.content_width * box.content_height
        asked.took()
        return found


def _boxed(memory: mmap, at: int, box: Letterbox) -> Pixels:
    target = np.zeros((box.padded_height, box.padded_width, 3), np.uint8)
    content = np.frombuffer(memory, np.uint8, 3 * box.content_width * box.content_height, at)
    target[: box.content_height, : box.content_width] = content.reshape(box.content_height, box.content_width, 3)
    return target


class JailedIndex:
    """What there is to know of a video before it is cut."""

    def __init__(self, asked: Talk, answers: Iterator[Answer], answer: Answer, size: int) -> None:
        words, body = answer
        self._asked, self._answers, self._size = asked, answers, size
        self.stream = Stream.model_validate(words["stream"])
        self.sequential = bool(words["index"]["sequential"])
        self.warnings = tuple(str(each) for each in words["index"]["warnings"])
        self.parts = _PARTS.validate_python(words["index"]["parts"])
        """Half-open ranges of frames that no cut need go beyond."""
        self.keys: NDArray[np.int64] = np.frombuffer(body, "<i8")
        """``[keys]`` numbers of the frames that decoding can begin at."""
        asked.child.limits.check(self.stream)

    def ranges(self, cuts: list[tuple[int, int]]) -> tuple[list[FrameRange], bytes]:
        """The ranges ``cuts`` and the headers of their windows, see `workers.media.ranges.frame_ranges`.

        Raises:
            VideoError: what the index says does not make a file.
            DecoderDied: making them failed.
        """
        self._asked.send({"cuts": cuts})
        found = list(self._answers)
        with _checked():
            ((words, headers),) = found
            ranges = _RANGES.validate_python(words["ranges"])
            wanted = [(0, self.stream.frames)] if self.sequential else cuts
            if [(each.start, each.stop) for each in ranges] != wanted:
                raise ValueError("other ranges than asked for")
            for window in (each.window for each in ranges if each.window):
                if not (0 <= window.start <= window.stop <= self._size and 0 <= window.header[0] <= window.header[1]):
                    raise ValueError("bytes that are not there")
        return ranges, headers


@contextmanager
def opened_index(file: RangedFile) -> Iterator[JailedIndex]:
    """The index of the video in ``file``, which is to be cut before the block ends.

    Raises:
        VideoError: see `workers.media.index.read_index`.
        DecoderDied: reading it crashed or hung.
        StorageUnavailable, SourceChanged: from reading.
    """
    limits().check_bytes(file.size)
    with talk.asked(limits(), {"do": "index", "size": file.size}, file=file) as asked:
        answers = asked.answers()
        answer = next(answers)
        with _checked():
            index = JailedIndex(asked, answers, answer, file.size)
        yield index


@contextmanager
def opened_sound(source: RangedFile) -> Iterator[Sound]:
    """Like `workers.media.sound.opened_sound`.

    Raises:
        VideoError: it cannot be read.
        DecoderDied: reading it crashed or hung.
        StorageUnavailable, SourceChanged: from reading.
    """
    with talk.asked(limits(), {"do": "sound", "size": source.size}, file=source) as asked:
        yield lambda output: _packets(asked, output)


def _packets(asked: Talk, output: Any) -> Iterator[Timed]:
    answers = asked.answers()
    _, head = next(answers, ({}, b""))
    if not head:
        return iter(())
    with _checked(), av.open(io.BytesIO(head), format="mp4", options={"protocol_whitelist": "none"}) as container:
        stream = output.add_stream_from_template(container.streams.audio[0], opaque=True)
    return _sent(asked, answers, stream)


def _sent(asked: Talk, answers: Iterator[Answer], stream: Any) -> Iterator[Timed]:
    for words, body in answers:
        at = 0
        for facts in words["packets"]:
            with _checked():
                time_s, packet = _packet(facts, body[at : at + facts[0]])
            packet.stream = stream
            yield time_s, packet
            at += packet.size
        asked.took()


def _packet(facts: list[int], body: bytes) -> tuple[float, Any]:
    """A packet and its decode time, of its size, times in ticks, and flags."""
    size, pts, dts, duration, numerator, denominator, key = (_whole(each) for each in facts)
    packet: Any = av.Packet(body)
    if not 0 < size == packet.size or numerator < 1 or denominator < 1 or max(abs(pts), abs(dts)) > _LATEST:
        raise ValueError("a packet is cut off, or has no time")
    packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, bool(key)
    packet.time_base = Fraction(numerator, denominator)
    return float(dts * packet.time_base), packet


def read_still(body: bytes) -> Still:
    """The picture in ``body`` as displayed; raises `PictureError`."""
    for left in reversed(range(_TRIES)):
        try:
            return _still(body)
        except DecoderDied as error:
            if not left:
                raise PictureError(f"the picture cannot be read: {error}") from error
    raise AssertionError("unreachable")


def _still(body: bytes) -> Still:
    if len(body) > limits().source_bytes:
        raise PictureError("too large: the file has more bytes than are allowed")
    with talk.asked(limits(), {"do": "still"}, body) as asked:
        answers = asked.answers()
        words, _ = next(answers)
        with _checked():
            height, width = (_whole(side) for side in words["still"])
            asked.child.limits.check_pixels(width, height)
            size = 3 * width * height
            if min(width, height) < 1:
                raise ValueError("a picture without pixels")
            rgb = np.frombuffer(asked.child.memory, np.uint8, size).reshape(height, width, 3).copy()
        asked.send({"taken": True})
        list(answers)
    return Still(rgb)


def _whole(value: Any) -> int:
    if type(value) is not int or value < -(1 << 63) or value >= 1 << 63:
        raise ValueError("a number is none")
    return value


@contextmanager
def _checked() -> Iterator[None]:
    """What a process says that makes no sense is its death: it may speak for the source that it read."""
    try:
        yield
    except _MALFORMED as error:
        raise DecoderDied(f"the process that reads sources broke the protocol ({type(error).__name__})") from error
