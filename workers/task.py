"""What all tasks share: turns, attempts, what a failure does to the job, a log line."""

import logging
import os
import time
from contextlib import suppress
from typing import Any, ClassVar, NoReturn

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.exceptions import SoftTimeLimitExceeded

from schema.errors import (
    ConfigurationError,
    DeadLetter,
    DecoderDied,
    DeviceLost,
    JobEnded,
    MessageError,
    ModelError,
    SourceChanged,
    SourceMissing,
    TransientError,
)
from schema.failpoint import hit
from schema.manifest import State
from schema.messages import FrameBatch, JobReference, messages_of
from schema.names import JobKeys
from schema.queue import send, step_of
from schema.settings import current
from workers import held
from workers.retries import RetryingTask
from workers.telemetry import measure, meters, tracing

log = logging.getLogger("posefleet")

DEVICE_LOST = 71
"""Exit status of a process without its device: EX_OSERR."""
#: Errors of one batch that no other batch of the job can do better with.
_ENDS_THE_JOB = (SourceChanged, SourceMissing, ModelError, ConfigurationError)


class FleetTask(RetryingTask):
    """Base of all tasks. Each takes one message and returns a small key.

    What passes is tried again: a transient error is no attempt of the batch, and none counts while a server is away;
    running into the time limit and losing the process are attempts.  Any other error ends the unit: a batch becomes
    a dead letter and the job goes on without it, a step of the whole job fails the job.
    """

    abstract = True
    Request = "workers.requests:FleetRequest"
    message_type: ClassVar[type[JobReference] | type[FrameBatch]] = JobReference
    following: ClassVar[str] = ""
    """Task that follows a step of batches."""

    def __call__(self, message: dict[str, object]) -> Any:
        """Ask for a turn, run the task, log how long it took; try again later when the error may pass."""
        asked = self.message_type.from_message(message)
        with measure.over(self.step, asked.job_id, asked.unit) as work, tracing.over(work):
            return self._settled(asked)

    def _settled(self, asked: Any) -> Any:
        """Run the task; what may pass is tried again, also where it happens while an end is seen to."""
        try:
            return self._attempted(asked)
        except (TransientError, SoftTimeLimitExceeded, DecoderDied) as error:
            again = self.again(asked, error)
            # Large results break Celery while it reconnects, so what comes again has no traceback; its record has one.
            raise again from (error if isinstance(again, DeadLetter) else None)

    def _attempted(self, asked: Any) -> Any:
        """Run the task; a job that has ended or is gone has nothing more to be done."""
        try:
            return self._attempt(asked)
        except JobEnded:
            self._leave(asked)
        except DeviceLost as error:
            self._abandon(asked, error)
        except SourceMissing:
            if held.store().head(JobKeys(asked.job_id).job) is not None:
                raise
            self._leave(asked)

    def _abandon(self, asked: Any, error: DeviceLost) -> NoReturn:
        """End this process: only a new one gets the device back. The worker has the unit tried again."""
        log.critical("%s job=%s unit=%s: this process ends: %s", self.step, asked.job_id, asked.unit, error)
        with suppress(TransientError):
            why = f"the last time: {error}, on {self._worker()}"
            held.progress().put_back(asked.job_id, self.step, asked.unit, 0.0, why, stumbled=None, lane=self._lane())
        logging.shutdown()
        os._exit(DEVICE_LOST)

    def _attempt(self, asked: Any) -> Any:
        began = time.monotonic()
        if (attempt := self._turn(asked)) is None:
            return None
        if attempt > current().max_attempts:
            note = held.progress().note(asked.job_id, self.step, asked.unit) or "its process was lost each time"
            last = note.splitlines()[0]
            raise DeadLetter(f"{self.step} {asked.unit} was started {attempt - 1} times without an end; {last}")
        measure.now().attempt = attempt
        with held.watch().over(asked.job_id):
            result = self.run(asked)
        took = time.monotonic() - began
        log.info(
            "%s job=%s unit=%s %.2f s", self.step, asked.job_id, asked.unit, took, extra={"seconds": round(took, 3)}
        )
        self._count("done")
        return result

    def _turn(self, asked: Any) -> int | None:
        """Number of this attempt; none when there is nothing to do."""
        redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
        if redelivered:
            measure.note(meters.REDELIVERIES, 1, self.step)
        start = held.progress().start(
            asked.job_id,
            self.step,
            asked.unit,
            fresh=not (self.request.retries or redelivered),
            within_s=self._limit_s(),
            redelivered=redelivered,
            most_stumbles=current().max_stumbles,
        )
        if start.attempt:
            return start.attempt
        log.info("%s job=%s unit=%s left out: %s", self.step, asked.job_id, asked.unit, start.turn.value)
        self._count("left_out")
        return None

    def _limit_s(self) -> float:
        """After this nobody works on a unit any more."""
        return float(self.time_limit or current().task_limit_s)

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Make a dead letter of a batch, or end the job."""
        if isinstance(exc, MessageError):
            log.error("%s refused: %s", self.step, exc)
            self._count("refused")
            return
        if isinstance(exc, TimeLimitExceeded | WorkerLostError):
            log.error("%s %s lost its process, and is tried again: %s", self.step, task_id, exc)
            self._count("lost")
            return
        asked = self.message_type.from_message(args[0])
        if isinstance(asked, FrameBatch) and not isinstance(exc, _ENDS_THE_JOB):
            self._bury(asked, exc, str(einfo))
        else:
            self._end_job(asked.job_id, exc)

    def go_on(self, task: str, job_id: str, units: list[str]) -> None:
        """Send what follows."""
        held.progress().announce(job_id, step_of(task), units, lane=self._lane())
        send(self.app, task, messages_of(job_id, units), self._lane())

    def finish(self, batch: FrameBatch, units: int) -> None:
        """Mark a batch as done; the last one of its step sends what follows."""
        follows = step_of(self.following)
        lane, spent = self._lane(), measure.done()
        if held.progress().finish(batch.job_id, self.step, batch.unit, units, follows, lane=lane, spent=spent):
            hit(f"{self.step}.after_claim", f"{batch.job_id}/{batch.unit}")
            send(self.app, self.following, [JobReference(job_id=batch.job_id)], self._lane())

    def finish_step(self, reference: JobReference) -> None:
        """Note the end of a step of the whole job."""
        held.progress().finish(reference.job_id, self.step, reference.unit, 1, spent=measure.done())

    def _bury(self, batch: FrameBatch, exc: BaseException, trace: str) -> None:
        from workers.stages.dead import bury
        from workers.storage.records import read_plan

        log.error("%s job=%s unit=%s is a dead letter: %s", self.step, batch.job_id, batch.unit, exc)
        self._count("dead")
        measure.note(meters.DEAD_LETTERS, 1, self.step)
        with suppress(TransientError):
            trace = f"{held.progress().note(batch.job_id, self.step, batch.unit)}\n\n{trace}".lstrip()
        bury(store=held.store(), step=self.step, batch=batch, error=exc, trace=trace, worker=self._worker())
        plan = read_plan(held.store(), batch.job_id)
        with suppress(JobEnded):
            self.finish(batch, len(plan.ranges))

    def _end_job(self, job_id: str, exc: BaseException) -> None:
        from workers.storage.records import end_early, failure, read_job

        log.error("%s job=%s failed: %s", self.step, job_id, exc)
        self._count("failed")
        end_early(store=held.store(), job=read_job(held.store(), job_id), state=State.FAILED, error=failure(exc))
        self.tell_ended(job_id)

    def tell_ended(self, job_id: str) -> None:
        """Tell workers and people that a job has its manifest."""
        from workers.storage.catalog import Catalog
        from workers.storage.ends import tell_ended

        tell_ended(held.store(), held.progress(), Catalog(held.progress().redis), job_id)

    def _leave(self, asked: Any) -> None:
        """Clear up after a task whose job has ended, or was deleted."""
        from workers.storage.records import tidy

        log.info("%s job=%s unit=%s stopped: the job has ended", self.step, asked.job_id, asked.unit)
        self._count("stopped")
        with suppress(TransientError):
            held.progress().leave(asked.job_id, self.step, asked.unit)
        tidy(held.store(), asked.job_id)
