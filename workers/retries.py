"""How a task is tried again: what it waits for first, when it comes again, and when it was tried often enough."""

import logging
import random
import time
from contextlib import suppress
from typing import Any, ClassVar

from celery import Task
from celery.exceptions import Reject, SoftTimeLimitExceeded

from schema.errors import BrokerUnavailable, DeadLetter, DecoderDied, DiskFull, FleetBusy, TransientError
from schema.queue import connect_anew, lane_of
from schema.settings import current
from workers import held
from workers.origin import origin
from workers.telemetry import measure, meters

_BACK = "goes back on the queue: a server is away"
_LONGEST_WAIT_S = 60
_LONGEST_TRACE = 4000

logging.getLogger("celery.app.trace").addFilter(lambda record: _BACK not in record.getMessage())


class RetryingTask(Task):  # type: ignore[misc]
    """A task that answers to an error that may pass: an attempt, a stumble, or neither."""

    abstract = True
    max_retries = None
    default_retry_delay = 0
    """A batch whose process was lost is tried again at once; Celery would wait three minutes."""
    step: ClassVar[str] = ""

    def again(self, asked: Any, error: BaseException) -> Any:
        """What to raise for an error that may pass; the time limit may come meanwhile."""
        try:
            return self._answer_to(asked, error)
        except SoftTimeLimitExceeded as limit:
            return self._later(asked, limit, stumbled=None)

    def _answer_to(self, asked: Any, error: BaseException) -> Any:
        if isinstance(error, SoftTimeLimitExceeded | DecoderDied):
            return self._later(asked, error, stumbled=None)
        if isinstance(error, FleetBusy):
            return self._later(asked, error, stumbled=False)
        if isinstance(error, DiskFull):  # who has room should be the next to try
            with suppress(SoftTimeLimitExceeded):
                time.sleep(_patience_s())
        return self._after_outage(asked, error)

    def _after_outage(self, asked: Any, error: BaseException) -> Any:
        """Wait while a server is away, within the time that a task has; what to raise then.

        Who waits holds one message and lets the others lie.  If the server stays away, the message goes back.
        """
        away = True
        with suppress(SoftTimeLimitExceeded):
            away = max(outage.wait(_patience_s()) for outage in held.outages())
        if not any(outage.lasts for outage in held.outages()):
            return self._later(asked, error, stumbled=not away)
        with suppress(TransientError):
            held.progress().put_back(
                asked.job_id, self.step, asked.unit, 0.0, str(error), stumbled=False, lane=self._lane()
            )
        return self._back()

    def _back(self) -> Reject:
        """What puts the message back."""
        self._count("returned")
        return Reject(_BACK, requeue=True)

    def _later(self, asked: Any, error: BaseException, *, stumbled: bool | None) -> Any:
        """Send the message again for later; what to raise."""
        delay = self._back_off()
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        why = f"the last time: {said}, on {self._worker()}"
        note = f"{why}\n{origin(error)[-_LONGEST_TRACE:]}"
        try:
            stumbles = held.progress().put_back(
                asked.job_id, self.step, asked.unit, delay, note, stumbled=stumbled, lane=self._lane()
            )
            if stumbles > current().max_stumbles:
                return DeadLetter(f"{self.step} {asked.unit} was tried {stumbles} times; {why}")
            if isinstance(error, BrokerUnavailable):
                connect_anew(self.app)
            again = self.retry(exc=error, countdown=delay, throw=False)
        except (TransientError, Reject):
            return self._back()
        self._count("retried")
        measure.note(meters.RETRIES, 1, self.step, getattr(error, "reason", "time_limit"))
        return again

    def _back_off(self) -> float:
        """Seconds to wait: exponential with full jitter."""
        longest = min(_LONGEST_WAIT_S, current().retry_backoff_s * 2 ** min(self.request.retries, 10))
        return random.uniform(0, longest)

    def _lane(self) -> str:
        """What follows a message goes on in its lane."""
        return lane_of(self.request.delivery_info)

    def _worker(self) -> str:
        return getattr(self.request, "hostname", "") or "this process"

    def _count(self, outcome: str) -> None:
        measure.note(meters.TASKS, 1, self.step, outcome)


def _patience_s() -> float:
    """How long a task waits for what it lacks, before its message goes back."""
    return min(current().patience_s, current().task_soft_limit_s / 3)
