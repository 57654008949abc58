"""Celery's request in the parent of a worker: it sees processes that are lost, whatever they were at."""

import logging
import time
from contextlib import suppress
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request

from schema.broker import AHEAD
from schema.errors import TransientError
from schema.names import HIGH, queue_name
from schema.queue import lane_of, unit_of
from workers import held
from workers.ready import unready
from workers.task import DEVICE_LOST

log = logging.getLogger("posefleet")

MOST = 3
UNSOUND = 70
"""Exit status of a worker whose machine is not sound: EX_SOFTWARE."""


class Losses:
    """Different tasks that lost their process, one after the other with no success between.

    One task that kills every process is at fault itself, and is a dead letter soon.  Several in a row blame the
    machine: a device that was lost, memory that others take.  Such a worker would use up everybody's attempts.
    """

    def __init__(self) -> None:
        self._tasks: set[str] = set()
        self._latest_s = 0.0

    def note(self, task_id: str, succeeded_s: float) -> bool:
        """Count a loss; whether it was one too many.

        Args:
            task_id: of the task that was lost.
            succeeded_s: when a task of this worker last succeeded, by ``time.monotonic()``; 0 is never.
        """
        if succeeded_s > self._latest_s:
            self._tasks.clear()
        self._latest_s = time.monotonic()
        self._tasks.add(task_id)
        return len(self._tasks) >= MOST


_losses = Losses()


def _succeeded_s() -> float:
    return max(state.successful_requests.as_dict().values(), default=0.0)


def note_put_back(request: Request, why: str, stumbled: bool | None) -> None:
    """Note, as far as Redis answers, that what a worker holds goes back on its queue; see `Progress.put_back`."""
    step, job_id, unit = unit_of(request.id)
    with suppress(TransientError):
        lane = lane_of(request.delivery_info)
        held.progress().put_back(job_id, step, unit, 0.0, why, stumbled=stumbled, lane=lane)


class FleetRequest(Request):  # type: ignore[misc]
    """What lost its process goes before all else, the first time; a worker ends after losses that are its own fault.

    A process that is killed at the time limit had an attempt.  Its message is put back, which looks like that of a
    worker that was lost, so the parent says first that nobody is at the unit any more.
    """

    def _retry_worker_lost(self, exc: Any, exc_info: Any) -> Any:
        queue = str((self._context.delivery_info or {}).get("routing_key")).partition(".")[0]
        self._context.delivery_info = {"exchange": "", "routing_key": queue_name(queue, HIGH)}
        headers = {name: value for name, value in (self._context.headers or {}).items() if name != AHEAD}
        self._context.headers = headers if self._context.retries else {**headers, AHEAD: True}
        return super()._retry_worker_lost(exc, exc_info)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """See `celery.worker.request.Request.on_timeout`."""
        if not (soft or state.should_terminate):
            note_put_back(self, f"the last time: its process was killed after {timeout:g} s, on {self.hostname}", None)
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """See `celery.worker.request.Request.on_failure`."""
        result = super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError) and _losses.note(self._blamed(error), _succeeded_s()):
            log.critical("%d tasks in a row lost their process: this worker ends, its device or memory fails", MOST)
            unready()
            state.should_stop = UNSOUND
        return result

    def _blamed(self, error: WorkerLostError) -> str:
        """What may be at fault: the task, unless its process said that its device was lost."""
        return f"{self.id} {self._context.retries}" if f"exitcode {DEVICE_LOST} " in str(error) else str(self.id)
