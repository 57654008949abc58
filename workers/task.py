"""What all tasks share: attempts, retries by class of error, what a failure does to the job, a line in the log."""

import logging
import random
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded

from schema.errors import (
    BrokerUnavailable,
    ConfigurationError,
    DeadLetter,
    MessageError,
    ModelError,
    SourceChanged,
    SourceMissing,
    TransientError,
)
from schema.failpoint import hit
from schema.manifest import State
from schema.messages import FrameBatch, JobReference
from schema.queue import send
from schema.settings import current

if TYPE_CHECKING:
    from workers.storage.port import ObjectStore
    from workers.storage.progress import Progress

log = logging.getLogger("posefleet")

_LONGEST_WAIT_S = 60
#: Errors of one batch that no other batch of the job can do better with.
_ENDS_THE_JOB = (SourceChanged, SourceMissing, ModelError, ConfigurationError)


@cache
def store() -> "ObjectStore":
    """This process's object store."""
    from workers.storage.s3 import S3Store

    return S3Store(current())


@cache
def progress() -> "Progress":
    """This process's view of the progress in Redis."""
    from workers.storage.progress import Progress

    return Progress(current().redis_url)


def work_folder() -> "TemporaryDirectory[str]":
    """A folder for one task, removed at its end."""
    root = Path(current().data_dir) / "work"
    root.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=root)


class FleetTask(Task):  # type: ignore[misc]
    """Base of all tasks. Each takes one message and returns a small key.

    Transient errors are retried with back-off and jitter and are no attempt of the batch; running into the time
    limit is.  Any other error ends the unit: a batch becomes a dead letter and the job goes on without it, a step
    of the whole job fails the job.
    """

    abstract = True
    max_retries = 8
    default_retry_delay = 0
    """A batch whose process was lost is tried again at once; Celery would wait three minutes."""
    message_type: ClassVar[type[JobReference] | type[FrameBatch]] = JobReference
    step: ClassVar[str] = ""
    following: ClassVar[str] = ""
    """Task that follows a step of batches."""

    def __call__(self, message: dict[str, object]) -> Any:
        """Count the attempt, run the task, log how long it took; try again later when the error may pass."""
        asked = self.message_type.from_message(message)
        try:
            return self._attempt(asked)
        except TransientError as error:
            self._take_back(asked)
            raise self.retry(exc=error, countdown=self._back_off()) from error
        except SoftTimeLimitExceeded as error:
            raise self.retry(exc=error, countdown=self._back_off()) from error

    def _attempt(self, asked: Any) -> Any:
        attempt = progress().start(asked.job_id, self.step, asked.unit)
        if attempt > current().max_attempts:
            raise DeadLetter(f"{self.step} {asked.unit} was started {attempt - 1} times without an end")
        began = time.monotonic()
        result = self.run(asked)
        log.info("%s job=%s unit=%s %.2f s", self.step, asked.job_id, asked.unit, time.monotonic() - began)
        return result

    def _take_back(self, asked: Any) -> None:
        """A transient error is nobody's fault: it is no attempt of the batch."""
        with suppress(BrokerUnavailable):
            progress().take_back(asked.job_id, self.step, asked.unit)

    def _back_off(self) -> float:
        """Seconds to wait: exponential with full jitter."""
        longest = min(_LONGEST_WAIT_S, current().retry_backoff_s * 2**self.request.retries)
        return random.uniform(0, longest)

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Make a dead letter of a batch, or end the job."""
        if isinstance(exc, MessageError):
            log.error("%s refused: %s", self.step, exc)
            return
        asked = self.message_type.from_message(args[0])
        if isinstance(asked, FrameBatch) and not isinstance(exc, _ENDS_THE_JOB):
            self._bury(asked, exc, str(einfo))
        else:
            self._end_job(asked.job_id, exc)

    def go_on(self, task: str, message: Any) -> None:
        """Send what follows."""
        send(self.app, task, message)

    def finish(self, batch: FrameBatch, units: int) -> None:
        """Mark a batch as done; the last one of its step sends what follows."""
        if progress().finish(batch.job_id, self.step, batch.unit, units):
            hit(f"{self.step}.after_claim", f"{batch.job_id}/{batch.unit}")
            self.go_on(self.following, JobReference(job_id=batch.job_id))

    def finish_step(self, reference: JobReference) -> None:
        """Note the end of a step of the whole job."""
        progress().finish(reference.job_id, self.step, reference.unit, 1)

    def _bury(self, batch: FrameBatch, exc: BaseException, trace: str) -> None:
        from workers.stages.dead import bury
        from workers.storage.records import read_plan

        log.error("%s job=%s unit=%s is a dead letter: %s", self.step, batch.job_id, batch.unit, exc)
        worker = getattr(self.request, "hostname", "") or ""
        bury(store=store(), step=self.step, batch=batch, error=exc, trace=trace, worker=worker)
        plan = read_plan(store(), batch.job_id)
        self.finish(batch, len(plan.ranges))

    def _end_job(self, job_id: str, exc: BaseException) -> None:
        from workers.storage.records import end_early, failure, read_job

        log.error("%s job=%s failed: %s", self.step, job_id, exc)
        end_early(store=store(), job=read_job(store(), job_id), state=State.FAILED, error=failure(exc))
