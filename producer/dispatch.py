"""How jobs and their messages come in: a record in object storage first, then a message on a queue."""

from collections.abc import Callable, Sequence

from schema.errors import BrokerUnavailable, SourceMissing
from schema.failpoint import hit
from schema.manifest import Failure, State
from schema.messages import JobReference, VideoJob, messages_of
from schema.names import TASK_SPLIT, WHOLE, JobKeys
from schema.queue import make_app, send, step_of
from schema.settings import Settings
from workers.storage import records
from workers.storage.catalog import Catalog
from workers.storage.ends import tell_ended
from workers.storage.ledger import Ledger
from workers.storage.outage import Outage
from workers.storage.progress import Progress
from workers.storage.s3 import S3Store
from workers.telemetry import tracing


class Dispatch:
    """Accepts jobs and sends messages of one fleet."""

    def __init__(
        self, settings: Settings, store: S3Store, progress: Progress, ledger: Ledger, catalog: Catalog
    ) -> None:
        self.app = make_app(settings)
        self._store, self._progress, self._ledger, self._catalog = store, progress, ledger, catalog
        self._patience_s = settings.patience_s

    def accept(self, job: VideoJob, *, missing: bool = False) -> None:
        """Write the job's record, then its message; a job that is under way or has ended gets no second one.

        Args:
            job: a new one, or the same once more.
            missing: there is no such source: it ends at once.

        Raises:
            StorageUnavailable, BrokerUnavailable
        """
        keys = JobKeys(job.job_id)
        new = records.accept(self._store, job)
        if missing:
            error = Failure(reason=SourceMissing.reason, message=f"there is no {job.source.uri}")
            records.end_early(store=self._store, job=job, state=State.FAILED, error=error)
            self._patiently(lambda: tell_ended(self._store, self._progress, self._catalog, job.job_id))
        elif new or not (self._store.head(keys.plan) or self._store.head(keys.manifest) or self._sent(job.job_id)):
            hit("enqueue.before_message", keys.job)
            self.start([job])

    def start(self, jobs: Sequence[VideoJob]) -> None:
        """Send the first message of jobs that were just accepted; those that Redis does not take, the sweeper sends.

        Raises:
            BrokerUnavailable: it took nothing for `patience_s`.
        """
        self._patiently(lambda: self._start(jobs))
        for job in jobs:
            tracing.enqueued(job.job_id, job.source.uri, job.created_s)

    def send(self, job_id: str, task: str, units: Sequence[str], *, again: bool = False) -> None:
        """Enter units of a job in the ledger and send their messages; ``again`` when the first ones were lost."""
        job = records.read_job(self._store, job_id)
        self._catalog.add([job])
        [lane] = self._catalog.lanes([job])
        self._progress.announce(job_id, step_of(task), units, lane=lane, again=again)
        send(self.app, task, messages_of(job_id, units), lane)

    def _sent(self, job_id: str) -> bool:
        return bool(self._ledger.alive(job_id, step_of(TASK_SPLIT), [WHOLE]))

    def _start(self, jobs: Sequence[VideoJob]) -> None:
        self._catalog.add(jobs)
        by_lane: dict[str, list[str]] = {}
        for job, lane in zip(jobs, self._catalog.lanes(jobs), strict=True):
            by_lane.setdefault(lane, []).append(job.job_id)
        for lane, job_ids in by_lane.items():
            self._progress.announce_jobs(job_ids, step_of(TASK_SPLIT), lane)
            send(self.app, TASK_SPLIT, [JobReference(job_id=job_id) for job_id in job_ids], lane)

    def _patiently(self, send: Callable[[], None]) -> None:
        """Send, and wait when Redis is away or full; what is accepted stands in storage, so nothing gets lost.

        Raises:
            BrokerUnavailable: it took nothing for `patience_s`.
        """
        try:
            send()
        except BrokerUnavailable:
            try:
                Outage("Redis", send).wait(self._patience_s, sure=True)
            except BrokerUnavailable as error:
                raise BrokerUnavailable(f"{error}; the job is accepted, and a sweeper will start it") from error
