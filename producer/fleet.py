"""The fleet as Python sees it: enqueue a video, ask how it goes, fetch its results."""

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from producer.job import Job, Status, StepProgress
from producer.models import models_for
from schema.errors import BrokerUnavailable, ConfigurationError, SourceMissing
from schema.failpoint import hit
from schema.manifest import Failure, Manifest, State
from schema.messages import Source, VideoJob, messages_of
from schema.names import TASK_SPLIT, WHOLE, JobKeys, safe_name
from schema.options import Options
from schema.pictures import SUFFIX
from schema.plan import Plan
from schema.queue import make_app, send, step_of
from schema.settings import Settings, current
from workers.storage.ledger import Ledger
from workers.storage.outage import Outage
from workers.storage.progress import Progress
from workers.storage.records import accept, end_early, purge
from workers.storage.s3 import S3Store
from workers.telemetry import tracing

_POLL_S = 0.2


class Fleet:
    """Access to one fleet: its object storage and its Redis.

    Without settings it is the fleet that the environment names, else the stack that runs on this machine.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or reachable()
        self.store = S3Store(self.settings)
        self.progress = Progress(self.settings.redis_url)
        self.ledger = Ledger(self.settings.redis_url)
        self._app = make_app(self.settings)

    def enqueue(
        self,
        uri: str,
        options: Options | None = None,
        *,
        model: str | None = None,
        batch_frames: int | None = None,
        force: bool = False,
    ) -> "Job":
        """Accept the video at ``uri``. The same version of it with the same options is the same job.

        Args:
            uri: ``s3://bucket/key`` of a video or a picture list.
            options: what to compute.
            model: name of a pulled model instead of the configured one.
            batch_frames: frames per batch instead of the planner's choice.
            force: do the work once more as a job of its own.

        Raises:
            ConfigurationError: ``uri`` is no S3 URI, or the options do not fit the model.
            ModelError: there is no such model, or it has not been pulled.
            StorageUnavailable, BrokerUnavailable
        """
        bucket, key = parse_uri(uri)
        chosen = options or Options()
        finder, refiner = models_for(self.settings, model, chosen)
        info = self.store.head(key, bucket)
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
        )
        self._accept(job, missing=missing)
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
        )
        self._accept(job, missing=False)
        return Job(self, job.job_id)

    def _accept(self, job: VideoJob, *, missing: bool) -> None:
        """Write the job's record, then its message; a job that is under way or has ended gets no second one."""
        keys, began_ns = JobKeys(job.job_id), time.time_ns()
        new = accept(self.store, job)
        if missing:
            error = Failure(reason=SourceMissing.reason, message=f"there is no {job.source.uri}")
            end_early(store=self.store, job=job, state=State.FAILED, error=error)
        elif new or not (self.store.head(keys.plan) or self.store.head(keys.manifest) or self._sent(job.job_id)):
            hit("enqueue.before_message", keys.job)
            self._patiently(lambda: self.send(job.job_id, TASK_SPLIT, [WHOLE]))
        if new:
            tracing.enqueued(job.job_id, job.source.uri, began_ns)

    def _sent(self, job_id: str) -> bool:
        return bool(self.ledger.alive(job_id, step_of(TASK_SPLIT), [WHOLE]))

    def send(self, job_id: str, task: str, units: Sequence[str], *, again: bool = False) -> None:
        """Enter units of a job in the ledger and send their messages; ``again`` when the first ones were lost."""
        self.progress.announce(job_id, step_of(task), units, again=again)
        send(self._app, task, messages_of(job_id, units))

    def _patiently(self, send: Callable[[], None]) -> None:
        """Send, and wait when Redis is away or full; what is accepted stands in storage, so nothing gets lost.

        Raises:
            BrokerUnavailable: it took nothing for `patience_s`.
        """
        try:
            send()
        except BrokerUnavailable:
            try:
                Outage("Redis", send).wait(self.settings.patience_s, sure=True)
            except BrokerUnavailable as error:
                raise BrokerUnavailable(f"{error}; the job is accepted, and a sweeper will start it") from error

    def job(self, job_id: str) -> "Job":
        """A job by its id.

        Raises:
            SourceMissing: there is no such job.
        """
        if safe_name(job_id) != job_id or self.store.head(JobKeys(job_id).job) is None:
            raise SourceMissing(f"there is no job {job_id}")
        return Job(self, job_id)

    def jobs(self) -> list["Job"]:
        """All jobs, by id."""
        found = self.store.objects("jobs/")
        return [Job(self, info.key.split("/")[1]) for info in found if info.key.endswith("/job.json")]

    def status(self, job_id: str) -> Status:
        """Where a job stands, from its manifest, else from its plan and the progress in Redis."""
        keys = JobKeys(job_id)
        job = VideoJob.from_json(self.store.get(keys.job))
        stored = self.store.get_or_none(keys.manifest)
        manifest = Manifest.from_json(stored) if stored else None
        body = self.store.get_or_none(keys.plan)
        plan = Plan.from_json(body) if body else None
        steps = self._steps(job, plan, manifest) if plan else {}
        state = manifest.state if manifest else self._state(job_id, steps)
        return Status(job_id, job.source.uri, state, steps, manifest)

    def _steps(self, job: VideoJob, plan: Plan, manifest: Manifest | None) -> dict[str, StepProgress]:
        total = plan.stream.frames
        names = ["render"] if job.tracks_of else ["infer", "render"] if job.options.render else ["infer"]
        if manifest and manifest.state in (State.SUCCEEDED, State.PARTIAL):
            return {name: StepProgress(total, total) for name in names}
        return {name: StepProgress(self._frames_done(job.job_id, name), total) for name in names}

    def _frames_done(self, job_id: str, step: str) -> int:
        units = self.progress.done(job_id, step)
        return sum(int(stop) - int(start) for start, stop in (unit.split("-") for unit in units))

    def _state(self, job_id: str, steps: dict[str, StepProgress]) -> State:
        if not steps:
            return State.PLANNING if "split" in self.progress.started(job_id) else State.QUEUED
        if "infer" in steps and steps["infer"].done < steps["infer"].total:
            return State.INFERRING
        if "infer" in steps and not self.progress.done(job_id, "stitch"):
            return State.STITCHING
        render = steps.get("render")
        return State.RENDERING if render and render.done < render.total else State.PUBLISHING

    def cancel(self, job_id: str) -> bool:
        """End a job without results; false when it had ended already. What runs for it stops within seconds."""
        job = VideoJob.from_json(self.store.get(JobKeys(job_id).job))
        if self.store.head(JobKeys(job_id).manifest) is not None:
            return False
        end_early(store=self.store, job=job, state=State.CANCELLED, error=None)
        self.progress.end(job_id)
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
        deleted = purge(self.store, job_id)
        self.ledger.close(job_id)
        return deleted

    def fetch_result(self, job_id: str, name: str, path: Path) -> Path:
        """Download one result of an ended job to ``path``.

        Raises:
            SourceMissing: there is no such job.
            ConfigurationError: the job has no such result, or has not ended.
        """
        keys = JobKeys(self.job(job_id).job_id)
        if self.store.head(keys.result(name)) is None:
            raise ConfigurationError(f"job {job_id} has no {name}: 'posefleet status {job_id}' says where it stands")
        self.store.download(keys.result(name), path)
        return path

    def fetch(self, job_id: str, folder: Path) -> list[Path]:
        """Download the manifest and every result of an ended job into ``folder``.

        Raises:
            ConfigurationError: the job has not ended.
        """
        keys = JobKeys(job_id)
        body = self.store.get_or_none(keys.manifest)
        if body is None:
            raise ConfigurationError(f"job {job_id} has not ended: 'posefleet status {job_id}' says where it stands")
        folder.mkdir(parents=True, exist_ok=True)
        fetched = []
        for result in Manifest.from_json(body).results:
            path = folder / safe_name(result.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download(result.key, path)
            fetched.append(_unpacked(path) if path.suffix == ".zip" else path)
        manifest = folder / "manifest.json"
        manifest.write_bytes(body)
        return [*fetched, manifest]


def _unpacked(archive: Path) -> Path:
    """Replace an archive by the folder that it holds."""
    folder = archive.with_suffix("")
    shutil.unpack_archive(archive, folder)
    archive.unlink()
    return folder


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


def parse_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``.

    Raises:
        ConfigurationError: it is none.
    """
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash or not key:
        raise ConfigurationError(f"{uri} is no video in object storage: give s3://bucket/key")
    return bucket, key
