"""The process that reads sources: it answers one question at a time, with bytes that it asks the worker for."""

import importlib
import io
import pkgutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import av
import numpy as np

from schema.errors import PictureError, PosefleetError, TooLarge, VideoError
from schema.plan import FrameRange, Plan
from workers.media.frames import ShownFrame, decode_range
from workers.media.index import read_index, whole
from workers.media.jail import confine, planes, ring
from workers.media.jail.siting import siting_of
from workers.media.jail.wire import BrokenWire, Wire, Words
from workers.media.limits import Limits
from workers.media.photos import read_rgb
from workers.media.ranges import frame_ranges
from workers.media.scaler import Scaler
from workers.media.sound import opened_sound
from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile

_ALIVE_EVERY_S = 0.5
_MOST_WORDS = 400
_PACKETS = 256
_TOGETHER = 4
"""Frames of which views are sent at once: every message takes both sides some time."""
_EMPTY = {"movflags": "empty_moov", "fflags": "+flush_packets"}
_NO_PARTS = frozenset({"av.__main__", "av.datasets"})


def main() -> None:
    """Serve until the worker closes the wire. Arguments: its process, both descriptors, the limits."""
    parent, end, shared, pixels, memory_mb, threads, source_bytes, frames, seconds = sys.argv[1:10]
    confine.die_with(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decoder = {"memory_mb": int(memory_mb), "threads": int(threads)}
    limits = Limits(int(source_bytes), int(pixels), int(frames), float(seconds), **decoder)
    memory = ring.mapped(int(shared), ring.capacity(limits.pixels))
    wire = Wire(socket.socket(fileno=int(end)))
    _load_the_rest()
    confine.limit(limits.memory_mb)
    wire.send({"ready": True, "confined": confine.close_doors()})
    serve = _Server(wire, memoryview(memory), limits)
    try:
        while serve.one():
            pass
    except BrokenWire:
        pass


def _load_the_rest() -> None:
    """What libraries would load at first use; later no file can be opened."""
    importlib.import_module("PIL.Image").init()
    for name in ("numpy.ma", "PIL.ImageOps", "PIL.ImageFile", "PIL.ExifTags", "xml.etree.ElementTree", "linecache"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if module.name not in _NO_PARTS:
            importlib.import_module(module.name)
    np.median(np.arange(3))


class _Cancelled(Exception):
    """Nobody wants to know any more."""


class _Pipe:
    """The worker's file, as the readers of objects expect it, and what the worker says meanwhile."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.freed = 0
        """Answers with frames or packets that the worker has taken."""
        self.sent = 0
        self.cancelled = False

    def get_range(self, source: ObjectInfo, start: int, stop: int) -> bytes:
        """Bytes of the one ``source`` that there is."""
        assert not source.key
        if self.cancelled:
            raise _Cancelled
        self._wire.send({"read": [start, stop]})
        while True:
            words, body = self._wire.receive()
            if "bytes" in words:
                return body
            self._note(words)

    def asked(self, for_what: str) -> Any:
        """What the worker says next of ``for_what``."""
        while True:
            words, _ = self._wire.receive()
            if for_what in words:
                return words[for_what]
            self._note(words)

    def wait_for_all(self) -> None:
        """Until the worker has taken everything, so that nothing of the next answer can overwrite it."""
        while self.sent > self.freed:
            self.wait_for_room()

    def wait_for_room(self) -> None:
        """Until the worker has taken another frame."""
        words, _ = self._wire.receive()
        self._note(words)

    def look(self) -> None:
        """Take note of what the worker has said meanwhile."""
        while self._wire.has_something():
            self.wait_for_room()

    def _note(self, words: Words) -> None:
        if "cancel" in words:
            self.cancelled = True
            raise _Cancelled
        self.freed += "free" in words


class _Room:
    """Where in the ring the frames of one answer go."""

    def __init__(self, pipe: _Pipe, capacity: int) -> None:
        self._pipe, self._capacity = pipe, capacity
        self._slot = 0

    def place(self, size: int) -> int:
        """First byte for a frame of ``size`` bytes, as soon as there is room; raises `TooLarge`."""
        slot, slots = ring.slot_bytes(size), ring.slots(size)
        if slot > self._capacity:
            raise TooLarge(f"a frame has {size >> 20} MB")
        self._pipe.look()
        while self._pipe.sent - self._pipe.freed >= (slots if slot == self._slot else 1):
            self._pipe.wait_for_room()
        self._slot = slot
        self._pipe.sent += 1
        return self._pipe.sent % slots * slot


class _Server:
    """Answers questions."""

    def __init__(self, wire: Wire, memory: memoryview, limits: Limits) -> None:
        self._wire, self._memory, self._limits = wire, memory, limits
        self._pipe = _Pipe(wire)
        self._spoke = 0.0
        self._scaled_s = 0.0
        """CPU time of this answer that went into scaling."""

    def one(self) -> bool:
        """Answer the next question; whether the process is still fit for another."""
        words, body = self._wire.receive()
        while "do" not in words:  # what was said before the end of the last answer was known
            words, body = self._wire.receive()
        self._pipe.sent, self._pipe.freed, self._pipe.cancelled = 0, 0, False
        began, self._scaled_s = time.process_time(), 0.0
        try:
            getattr(self, f"_{words['do']}")(words, body)
        except BrokenWire:
            raise
        except _Cancelled:
            self._done(began)
            return True
        except MemoryError:
            self._wire.send(_failure(TooLarge("the file asks for more memory than there is for it")))
            return False
        except Exception as error:
            self._wire.send(_failure(error))
            return isinstance(error, PosefleetError | av.FFmpegError)
        self._done(began)
        return not self._pipe.cancelled  # else FFmpeg has swallowed it, and may bring it up again

    def _done(self, began: float) -> None:
        spent = time.process_time() - began
        self._wire.send({"done": True, "cpu_s": spent - self._scaled_s, "scaled_s": self._scaled_s})

    def _index(self, words: Words, _: bytes) -> None:
        index = read_index(self._file(words), self._limits)
        table = index.table
        keys = np.searchsorted(table.pts, table.key_pts).astype("<i8")
        facts = {"sequential": table.sequential, "warnings": index.warnings, "parts": whole(index)}
        self._wire.send({"index": facts, "stream": index.stream.model_dump(mode="json")}, keys.tobytes())
        asked = self._pipe.asked("cuts")
        ranges, headers = frame_ranges(index, [(start, stop) for start, stop in asked])
        self._wire.send({"ranges": [each.model_dump(mode="json") for each in ranges]}, headers)

    def _decode(self, words: Words, header: bytes) -> None:
        room, sitings = _Room(self._pipe, len(self._memory)), dict[planes.Kind, str]()
        for each in self._shown(words, header):
            frame = each.picture
            kind = (frame.format.name, frame.width, frame.height)
            size = planes.size_of(planes.layout_of(*kind))
            siting = sitings.get(kind) or sitings.setdefault(kind, siting_of(frame))
            place = room.place(size)
            planes.put(frame, self._memory[place : place + size])
            known = planes.words_of(frame, siting)
            self._wire.send({"frame": known, "at": place, "pts": each.pts, "damaged": each.damaged})
            self._spoke = time.monotonic()
        self._pipe.wait_for_all()

    def _view(self, words: Words, header: bytes) -> None:
        """Like `_decode`, but of each frame only RGB of the sizes that are asked for, and a few frames at a time."""
        room, scaler = _Room(self._pipe, len(self._memory)), Scaler(Plan.from_message(words["plan"]).stream)
        shown = self._shown(words, header)
        while some := list(islice(shown, _TOGETHER)):
            began = time.thread_time()
            views = [scaler.rgb(each.picture, *size) for each in some for size in words["sizes"]]
            self._scaled_s += time.thread_time() - began
            place = at = room.place(sum(view.size for view in views))
            for view in views:
                np.copyto(np.frombuffer(self._memory, np.uint8, view.size, at).reshape(view.shape), view)
                at += view.size
            self._wire.send({"views": [[each.pts, each.damaged] for each in some], "at": place})
            self._spoke = time.monotonic()
        self._pipe.wait_for_all()

    def _shown(self, words: Words, header: bytes) -> Iterator[ShownFrame]:
        plan, wanted = Plan.from_message(words["plan"]), FrameRange.model_validate(words["wanted"])
        return decode_range(self._file(words), plan, wanted, header, self._limits, self._alive)

    def _sound(self, words: Words, _: bytes) -> None:
        """A container of the sound's stream without any packets, then the packets."""
        head = io.BytesIO()
        with (
            opened_sound(self._file(words), self._limits) as sound,
            av.open(head, "w", format="mp4", options=_EMPTY) as output,
        ):
            packets = (packet for _, packet in sound(output))
            if not output.streams:
                return
            first = list(islice(packets, _PACKETS))
            output.start_encoding()
            self._wire.send({"sound": True}, head.getvalue())
            self._packets(first)
            while more := list(islice(packets, _PACKETS)):
                self._packets(more)

    def _packets(self, waiting: list[Any]) -> None:
        """Send them on, as soon as the worker has used up those before."""
        self._pipe.look()
        self._pipe.wait_for_all()
        self._wire.send({"packets": [_facts(packet) for packet in waiting]}, b"".join(map(bytes, waiting)))
        self._pipe.sent += 1

    def _still(self, _: Words, body: bytes) -> None:
        try:
            rgb = read_rgb(body, self._limits)
        except MemoryError as error:
            raise PictureError(
                f"too large: reading it takes more than {self._limits.memory_mb} MB of memory"
            ) from error
        height, width = rgb.shape[:2]
        np.copyto(np.frombuffer(self._memory, np.uint8, rgb.size).reshape(rgb.shape), rgb)
        self._wire.send({"still": [height, width]})
        self._pipe.asked("taken")

    def _file(self, words: Words) -> RangedFile:
        return RangedFile(self._pipe, ObjectInfo("", "", "", words["size"]))

    def _alive(self) -> None:
        """Say now and then that frames decode, though none was wanted yet."""
        self._pipe.look()
        if time.monotonic() > self._spoke + _ALIVE_EVERY_S:
            self._wire.send({"alive": True})
            self._spoke = time.monotonic()


def _facts(packet: Any) -> list[int]:
    """Bytes, presentation and decode time, length, the time base's parts, whether it is a key."""
    base = packet.time_base
    pts = packet.dts if packet.pts is None else packet.pts
    return [
        packet.size,
        pts,
        packet.dts,
        packet.duration or 0,
        base.numerator,
        base.denominator,
        int(packet.is_keyframe),
    ]


def _failure(error: Exception) -> Words:
    """An error in words: its class, where it is ours, and its message."""
    if isinstance(error, av.FFmpegError):
        error = VideoError(f"the file cannot be read: {error.strerror}")
    message = str(error) if isinstance(error, PosefleetError) else f"{type(error).__name__}: {error}"
    return {"error": type(error).__name__, "message": message[:_MOST_WORDS]}
