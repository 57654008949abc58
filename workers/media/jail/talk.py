"""Ask a process that reads sources: its wishes for bytes are granted in a thread, its answers come in order."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from schema import errors
from schema.errors import DecoderDied, PictureError, PosefleetError, VideoError
from workers.media.jail import ring
from workers.media.jail.process import Child, any_started
from workers.media.jail.wire import BrokenWire, Words
from workers.media.limits import Limits
from workers.telemetry.measure import note, now, spent
from workers.telemetry.meters import DECODER_DEATHS

_SLICE_S = 0.5
_MOST_QUESTIONS = 256
"""After so many a process makes room for a new one: libraries leak."""
_MOST_IDLE = 1
_HOLDING = frozenset({"frame", "views", "packets"})
"""Answers that take room until they are used up."""
_MOST_READ = 512 << 20
_MOST_WAITING = ring.MOST_SLOTS + 2
"""Answers that wait to be taken: what the ring holds, the end, and an error of reading."""
_MOST_S = 86_400.0
_idle: list[Child] = []
_stopping: set["Talk"] = set()
_changed = threading.Condition()
"""Guards both: processes that are free, and talks that were given up and have not ended."""

Answer = tuple[Words, bytes]


class Readable(Protocol):
    """A source of which bytes can be had."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes ``start..stop``."""
        ...


class Talk:
    """One question to a process, and what it answers."""

    def __init__(self, child: Child, file: Readable | None) -> None:
        self.child, self._file = child, file
        self._answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._held = 0
        """Frames and packets that wait to be taken."""
        self._waited_s = 0.0
        self._work = now()
        self._furthest = 0
        self._given_up = self._over = False
        self._server = threading.Thread(target=self._serve, name="serves-reader", daemon=True)

    def ask(self, words: Words, body: bytes) -> None:
        """Put the question."""
        self.child.answered += 1
        self._server.start()
        self.send(words, body)

    def send(self, words: Words, body: bytes = b"") -> None:
        """Say something; where the process is gone, the next answer tells."""
        with suppress(BrokenWire), self._sending:
            self.child.wire.send(words, body)

    def answers(self) -> Iterator[Answer]:
        """What it answers, up to the end.

        Raises:
            VideoError, PictureError: as the process says.
            DecoderDied: it died, or took too long.
            PosefleetError: from reading the source.
        """
        while True:
            answer = self._answers.get()
            if isinstance(answer, BaseException):
                raise answer
            if "done" in answer[0]:
                return
            if "error" in answer[0]:
                raise _error(answer[0])
            yield answer

    def took(self) -> None:
        """A frame has been copied out of the ring, or packets are used up: there is room for more."""
        with _changed:
            self._held -= 1
            if not (self._over or self._given_up):  # else the process may be at another question
                self.send({"free": True})

    def give_up(self) -> None:
        """No more answers are wanted: where some are to come, the process is told, and is free once it has stopped."""
        with _changed:
            if self._over or self._given_up:
                return
            self._given_up = True
            self._over = self._server.ident is None  # nobody listens to the process, and nobody will
            if not self._over:
                _stopping.add(self)
        if self._over:
            self.child.kill()
        else:
            self.send({"cancel": True})

    def _serve(self) -> None:
        """Grant wishes and pass answers on until there is nothing more to come."""
        try:
            while not self._over:
                self._take(*self._next())
        except BrokenWire as error:
            cause = self.child.end()
            self._answers.put(DecoderDied(f"the process that reads sources died: {cause} ({error})"))
        except BaseException as error:
            self.child.kill()
            self._answers.put(error)
        finally:
            self._end()

    def _take(self, words: Words, body: bytes) -> None:
        if "read" in words:
            self._grant(words["read"])
            return
        if self._answers.qsize() >= _MOST_WAITING:
            raise BrokenWire("it says more than there is room for")
        self._waited_s = 0.0
        if "done" in words or "error" in words:
            spent("decode", _seconds(words.get("cpu_s")), self._work)
            spent("letterbox", _seconds(words.get("scaled_s")), self._work)
            self._finish(fit="done" in words or not isinstance(_error(words), DecoderDied))
        elif "alive" in words:
            return
        with _changed:
            self._held += not _HOLDING.isdisjoint(words)
        self._answers.put((words, body))

    def _finish(self, *, fit: bool) -> None:
        """Give the process back for the next question."""
        ring.release(self.child.memory)
        fit = fit and self.child.answered < _MOST_QUESTIONS
        if not fit:
            self.child.kill()
        self._end(fit=fit)

    def _end(self, *, fit: bool = False) -> None:
        spare = []
        with _changed:
            if not self._over and fit:
                spare = [_idle.pop(0) for _ in range(len(_idle) + 1 - _MOST_IDLE)]
                _idle.append(self.child)
            self._over = True
            _stopping.discard(self)
            _changed.notify_all()
        for child in spare:
            child.kill()

    def _next(self) -> Answer:
        """What it says next; what it takes for that counts, unless frames are waiting to be taken."""
        there, most = False, self.child.limits.stall_s
        while not there:
            began = time.monotonic()
            there = self.child.wire.has_something(_SLICE_S)
            took = min(time.monotonic() - began, 2 * _SLICE_S)
            self._waited_s = self._waited_s + took if self._held <= 0 or self._given_up else 0.0
            if self._waited_s > most:
                raise DecoderDied(f"decoding took {most:g} s without a frame and was stopped")
        return self.child.wire.receive()

    def _grant(self, asked: Any) -> None:
        start, stop = asked
        size = 0 if self._file is None else self._file.size
        if not (type(start) is type(stop) is int and 0 <= start < stop <= size and stop - start <= _MOST_READ):
            raise BrokenWire("it asked for bytes that are not there")
        if self._file is None or self._given_up:
            return
        try:
            body = self._file.fetch(start, stop)
        except Exception as error:
            self._answers.put(error)
            self.give_up()
            return
        if stop > self._furthest:
            self._furthest, self._waited_s = stop, 0.0
        self.send({"bytes": True}, body)


def _seconds(value: Any) -> float:
    """A time as the process tells it, which is not to be believed if it makes no sense."""
    return value if isinstance(value, float) and 0 <= value <= _MOST_S else 0.0


def _error(words: Words) -> PosefleetError:
    """An error as the process names it: of a source, or of the process itself."""
    kind = getattr(errors, str(words["error"]), None)
    message = "".join(letter for letter in str(words.get("message"))[:500] if letter.isprintable())
    if isinstance(kind, type) and issubclass(kind, VideoError | PictureError):
        return kind(message)
    return DecoderDied(f"reading the source failed: {message}")


@contextmanager
def asked(limits: Limits, words: Words, body: bytes = b"", file: Readable | None = None) -> Iterator[Talk]:
    """Ask an idle process, or a new one; when the block is left before the last answer, it is told to stop."""
    talk = Talk(_child(limits), file)
    try:
        talk.ask(words, body)
        yield talk
    except DecoderDied:
        note(DECODER_DEATHS, 1, now().step)
        talk.child.kill()
        raise
    finally:
        talk.give_up()


def warm(limits: Limits) -> None:
    """Have a process ready, unless there is one already."""
    if not any_started():
        _idle.append(_child(limits))


def _child(limits: Limits) -> Child:
    """A process that is free; one that is about to be is waited for, as it may know the stream already."""
    with _changed:
        while _stopping and not _idle:
            _changed.wait(_SLICE_S)
    while _idle:
        child = _idle.pop()
        if child.limits == limits and child.is_mine():
            return child
        child.kill()
    return Child(limits)
