"""What any module may do to be measured; it costs next to nothing.

A process works on one task at a time, some of it in threads.  What a task spends is added up, noted at its end, and
goes with the news that it is done, so that a job's manifest says where its time went.
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


COMPUTED = ("decode", "letterbox", "draw", "encode")
"""Parts, beside the model's calls, that a pipeline without a fleet has to do as well."""


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
    model_s: float = 0.0
    """What full calls at their usual pace take for these pictures."""
    on_device: bool = False
    """The model runs on a device of its own, beside which all else can be done."""
    wait_s: float = 0.0
    """Since the task before, where that was of the same step and job."""
    began_s: float = field(default_factory=time.monotonic)

    @property
    def ideal_s(self) -> float:
        """What the same work takes without a fleet; 0 for steps whose work has no parts."""
        if self.on_device:
            return self.model_s
        return self.model_s + sum(self.seconds.get(part, 0.0) for part in COMPUTED)

    def spendings(self) -> dict[str, float]:
        """Seconds up to now: ``busy``, ``ideal``, ``wait`` and each part."""
        found = {"busy": time.monotonic() - self.began_s, "ideal": self.ideal_s, "wait": self.wait_s}
        with _lock:
            return found | self.seconds


class _State:
    """Of this process."""

    sink: Sink | None = None
    work = Work()
    ended_s = 0.0
    """When the task before was reported as done, by ``time.monotonic()``."""
    ended = ("", "")
    """Its step and job."""


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
    if _State.ended == (step, job_id):
        _State.work.wait_s = _State.work.began_s - _State.ended_s
    try:
        yield _State.work
    finally:
        work, _State.work = _State.work, before
        if work.attempt:
            _note(work, time.monotonic() - work.began_s)


def done() -> dict[str, float]:
    """The task is done but for saying so: what it spent, see `Work.spendings`."""
    work = _State.work
    _State.ended, _State.ended_s = (work.step, work.job_id), time.monotonic()
    return work.spendings()


def _note(work: Work, took_s: float) -> None:
    note(meters.TASK_SECONDS, took_s, work.step)
    for part, seconds in sorted(work.seconds.items()):
        note(meters.STAGE_SECONDS, seconds, work.step, part)
    if work.room:
        note(meters.FILL, work.pictures / work.room)
        note(meters.IDLE, max(0.0, took_s - work.seconds["infer"]))
    if ideal_s := work.ideal_s:
        note(meters.SPEED_OF_LIGHT, ideal_s / (took_s + work.wait_s), work.step)


def spent(part: str, seconds: float, work: Work | None = None) -> None:
    """Add to what a task, by default that of now, has spent on a part."""
    with _lock:
        (work or _State.work).seconds[part] += seconds


@contextmanager
def spending(part: str) -> Iterator[None]:
    """Add the time that the block takes to a part of the task that it began in."""
    began, work = time.monotonic(), _State.work
    try:
        yield
    finally:
        spent(part, time.monotonic() - began, work)


@contextmanager
def computing(part: str) -> Iterator[None]:
    """Add the CPU time that this thread takes for the block to a part of the task."""
    began = time.thread_time()
    try:
        yield
    finally:
        spent(part, time.thread_time() - began)


def called(seconds: float, pictures: int, room: int, usual_s: float, *, on_device: bool = False) -> None:
    """Add a call of the model.

    Args:
        seconds: that it took.
        pictures: that it was shown.
        room: pictures that it would have held.
        usual_s: seconds per picture of full calls.
        on_device: it runs on a device of its own.
    """
    spent("infer", seconds)
    work = _State.work
    work.pictures += pictures
    work.room += room
    work.model_s += pictures * usual_s
    work.on_device = on_device


def finished(frames: int) -> None:
    """Count frames that the stage has finished."""
    note(meters.FRAMES, frames, _State.work.step)
