"""The fleet as Python sees it: enqueue a video, ask how it goes, fetch its results."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from producer.dispatch import Dispatch
from producer.fetching import fetch_all, fetch_result
from producer.job import Job, Status
from producer.models import models_for
from producer.standing import complete, info_from_storage
from producer.uris import parse_uri
from schema.catalog import JobInfo, JobPage
from schema.errors import BrokerUnavailable, ConfigurationError, SourceMissing
from schema.manifest import Manifest, State
from schema.messages import Priority, Source, VideoJob
from schema.names import JobKeys, safe_name
from schema.options import Options
from schema.pictures import SUFFIX
from schema.settings import Settings, current
from workers.storage.catalog import Catalog
from workers.storage.ends import tell_ended
from workers.storage.ledger import Ledger
from workers.storage.port import ObjectInfo
from workers.storage.progress import Progress
from workers.storage.records import end_early, purge
from workers.storage.s3 import S3Store

_POLL_S = 0.2
_PAGE = 500


class Fleet:
    """Access to one fleet: its object storage and its Redis.

    Without settings it is the fleet that the environment names, else the stack that runs on this machine.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or reachable()
        self.store = S3Store(self.settings)
        self.progress = Progress(self.settings.redis_url)
        self.ledger = Ledger(self.settings.redis_url)
        self.catalog = Catalog(self.progress.redis)
        self.dispatch = Dispatch(self.settings, self.store, self.progress, self.ledger, self.catalog)
        """How jobs and messages come in."""

    def enqueue(
        self,
        uri: str,
        options: Options | None = None,
        *,
        model: str | None = None,
        batch_frames: int | None = None,
        force: bool = False,
        submitter: str = "",
        priority: Priority = "auto",
        webhook: str = "",
        found: ObjectInfo | None = None,
    ) -> "Job":
        """Accept the video at ``uri``. The same version of it with the same options is the same job.

        Args:
            uri: ``s3://bucket/key`` of a video or a picture list.
            options: what to compute.
            model: name of a pulled model instead of the configured one.
            batch_frames: frames per batch instead of the planner's choice.
            force: do the work once more as a job of its own.
            submitter: who asks; submitters share the fleet evenly.
            priority: ``high`` goes before all that is not, ``auto`` means so for a submitter's first few jobs.
            webhook: URL that is told when the job has ended.
            found: what a HEAD has just told of the video, so that it need not be asked again.

        Raises:
            ConfigurationError: ``uri`` is no S3 URI, or the options do not fit the model.
            ModelError: there is no such model, or it has not been pulled.
            StorageUnavailable, BrokerUnavailable
        """
        bucket, key = parse_uri(uri)
        chosen = options or Options()
        finder, refiner = models_for(self.settings, model, chosen)
        info = found or self.store.head(key, bucket)
        source = Source(bucket=bucket, key=key, etag=info.etag if info else "", size=info.size if info else 0)
        missing = info is None
        nonce = secrets.token_hex(8) if force or missing else ""
        job = VideoJob.accept(
            source,
            chosen,
            finder,
            refiner=refiner,
            pictures=key.endswith(SUFFIX),
            batch_frames=batch_frames,
            nonce=nonce,
            submitter=submitter,
            priority=priority,
            webhook=webhook,
        )
        self.dispatch.accept(job, missing=missing)
        return Job(self, job.job_id)

    def render(self, job_id: str, options: Options, *, force: bool = False) -> "Job":
        """Draw the tracks of an ended job once more, as a job of its own, without the model.

        Args:
            job_id: whose tracks and video.
            options: ``style``, ``scale``, ``codec`` and ``crf`` count; the rest is as it was.
            force: do the work once more if it was done.

        Raises:
            SourceMissing: there is no such job.
            ConfigurationError: it has no tracks.
            StorageUnavailable, BrokerUnavailable
        """
        parent = VideoJob.from_json(self.store.get(JobKeys(self.job(job_id).job_id).job))
        if parent.pictures or self.store.head(JobKeys(parent.plan_of).stitched()) is None:
            raise ConfigurationError(f"job {job_id} has no tracks of a video: 'posefleet status {job_id}' says why")
        drawn = {name: getattr(options, name) for name in ("style", "scale", "codec", "crf")}
        job = VideoJob.accept(
            parent.source,
            parent.options.model_copy(update={**drawn, "render": True}),
            parent.model,
            refiner=parent.refiner,
            tracks_of=parent.plan_of,
            nonce=secrets.token_hex(8) if force else "",
            submitter=parent.submitter,
        )
        self.dispatch.accept(job)
        return Job(self, job.job_id)

    def job(self, job_id: str) -> "Job":
        """A job by its id.

        Raises:
            SourceMissing: there is no such job.
        """
        if safe_name(job_id) != job_id or self.store.head(JobKeys(job_id).job) is None:
            raise SourceMissing(f"there is no job {job_id}")
        return Job(self, job_id)

    def info(self, job_id: str) -> JobInfo:
        """Where a job stands, as Redis knows it, which may be some seconds late; as storage does, if Redis does not.

        Raises:
            SourceMissing: there is no such job.
            StorageUnavailable
        """
        with suppress(BrokerUnavailable):
            if safe_name(job_id) == job_id and (known := self.catalog.get(job_id)):
                return known
            self.job(job_id)
            complete(self.store, self.catalog, [job_id])
        return info_from_storage(self.store, self.job(job_id).job_id)

    def list_jobs(
        self,
        *,
        state: State | str | None = None,
        search: str = "",
        submitter: str | None = None,
        limit: int = 100,
        cursor: str = "",
    ) -> JobPage:
        """Jobs, the newest first, as Redis knows them.

        Args:
            state: only jobs in this state, or that of its name.
            search: part of the URI or of the id.
            submitter: only jobs of one.
            limit: most jobs at once.
            cursor: of the page before.

        Raises:
            ConfigurationError: there is no such state, or the cursor is none of ours.
            StorageUnavailable, BrokerUnavailable
        """
        if state is not None and state not in list(State):
            raise ConfigurationError(f"there is no state {state}: {', '.join(State)}")
        if not self.catalog.is_whole():
            complete(self.store, self.catalog)
        return self.catalog.page(
            state=State(state) if state else None, search=search, submitter=submitter, limit=limit, cursor=cursor
        )

    def jobs(self) -> Iterator["Job"]:
        """All jobs, the newest first."""
        cursor = None
        while cursor != "":
            page = self.list_jobs(limit=_PAGE, cursor=cursor or "")
            yield from (Job(self, info.job_id) for info in page.jobs)
            cursor = page.cursor

    def status(self, job_id: str) -> Status:
        """Where a job stands, and its manifest once it has ended, as storage has it."""
        info, body = self.info(job_id), self.store.get_or_none(JobKeys(job_id).manifest)
        if body is None:
            return Status(job_id, info.uri, info.state, info.steps, None)
        if not info.state.final:
            info = info_from_storage(self.store, job_id)
            with suppress(BrokerUnavailable):
                tell_ended(self.store, self.progress, self.catalog, job_id)
        return Status(job_id, info.uri, info.state, info.steps, Manifest.from_json(body))

    def cancel(self, job_id: str) -> bool:
        """End a job without results; false when it had ended already. What runs for it stops within seconds."""
        job = VideoJob.from_json(self.store.get(JobKeys(job_id).job))
        if self.store.head(JobKeys(job_id).manifest) is not None:
            return False
        end_early(store=self.store, job=job, state=State.CANCELLED, error=None)
        tell_ended(self.store, self.progress, self.catalog, job_id)
        return Manifest.from_json(self.store.get(JobKeys(job_id).manifest)).state is State.CANCELLED

    def delete(self, job_id: str, *, wait_s: float = 15.0) -> int:
        """Delete a job and all its objects, cancelling it first where it has not ended; how many objects.

        The source stays.  What still runs for the job stops within seconds, and leaves nothing behind.

        Raises:
            SourceMissing: there is no such job.
            StorageUnavailable, BrokerUnavailable
        """
        self.cancel(self.job(job_id).job_id)
        end = time.monotonic() + wait_s
        while job_id in self.ledger.running_jobs() and time.monotonic() < end:
            time.sleep(_POLL_S)
        self.progress.end(job_id)  # before its objects go, or who is cut off here would leave what nobody looks for
        deleted = purge(self.store, job_id)
        self.ledger.close(job_id)
        self.catalog.remove(job_id)
        return deleted

    def fetch_result(self, job_id: str, name: str, path: Path) -> Path:
        """Download one result of an ended job to ``path``.

        Raises:
            SourceMissing: there is no such job.
            ConfigurationError: the job has no such result, or has not ended.
        """
        return fetch_result(self.store, self.job(job_id).job_id, name, path)

    def fetch(self, job_id: str, folder: Path) -> list[Path]:
        """Download the manifest and every result of an ended job into ``folder``.

        Raises:
            SourceMissing: there is no such job.
            ConfigurationError: the job has not ended.
        """
        return fetch_all(self.store, self.job(job_id).job_id, folder)


def reachable() -> Settings:
    """Settings of the environment where it names a server, else of the stack that runs on this machine.

    Raises:
        ConfigurationError: the environment names none, and no stack runs.
    """
    from producer.stack.addresses import read_addresses

    settings = current()
    if settings.model_fields_set & {"redis_url", "s3_endpoint"}:
        return settings
    return read_addresses(settings.data_dir).settings(settings)
