"""What any module may do to be measured; it costs next to nothing where nobody collects.

A process works on one task at a time, some of it in threads.  What a task spends is added up and noted at its end.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from workers.telemetry import meters
from workers.telemetry.meters import Meter

Sink = Callable[[Meter, float, tuple[str, ...]], None]


@dataclass
class Work:
    """The task that this process is at, and what it has spent so far."""

    step: str = ""
    job_id: str = ""
    unit: str = ""
    attempt: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By part."""
    pictures: int = 0
    """Shown to the model."""
    room: int = 0
    """Pictures that its calls would have held."""
    ideal_s: float = 0.0
    """What full calls at the best pace take for these pictures."""


class _State:
    """Of this process."""

    sink: Sink | None = None
    work = Work()


_lock = threading.Lock()


def collect(sink: Sink | None) -> None:
    """Have everything noted by ``sink`` from now on; none stops it."""
    _State.sink = sink


def note(meter: Meter, amount: float, *labels: str) -> None:
    """Count or observe ``amount``."""
    if _State.sink is not None:
        _State.sink(meter, amount, labels)


def now() -> Work:
    """What this process is at; empty between tasks."""
    return _State.work


@contextmanager
def over(step: str, job_id: str, unit: str) -> Iterator[Work]:
    """Be at one task until the block ends."""
    before, _State.work = _State.work, Work(step, job_id, unit)
    began = time.monotonic()
    try:
        yield _State.work
    finally:
        work, _State.work = _State.work, before
        if work.attempt:
            _note(work, time.monotonic() - began)


def _note(work: Work, took_s: float) -> None:
    note(meters.TASK_SECONDS, took_s, work.step)
    for part, seconds in sorted(work.seconds.items()):
        note(meters.STAGE_SECONDS, seconds, work.step, part)
    if work.room:
        note(meters.FILL, work.pictures / work.room)
        note(meters.IDLE, max(0.0, took_s - work.seconds["infer"]))
        note(meters.SPEED_OF_LIGHT, work.ideal_s / took_s)


def spent(part: str, seconds: float) -> None:
    """Add to what the task has spent on a part."""
    if _State.sink is not None:
        with _lock:
            _State.work.seconds[part] += seconds


@contextmanager
def spending(part: str) -> Iterator[None]:
    """Add what the block takes to a part of the task."""
    began = time.monotonic()
    try:
        yield
    finally:
        spent(part, time.monotonic() - began)


def called(seconds: float, pictures: int, room: int, best_s: float) -> None:
    """Add a call of the model.

    Args:
        seconds: that it took.
        pictures: that it was shown.
        room: pictures that it would have held.
        best_s: seconds per picture of the fastest full call so far.
    """
    spent("infer", seconds)
    work = _State.work
    work.pictures += pictures
    work.room += room
    work.ideal_s += pictures * best_s


def finished(frames: int) -> None:
    """Count frames that the stage has finished."""
    note(meters.FRAMES, frames, _State.work.step)
