"""The records of a job in storage: read them, write the one that ends it, and tidy up after it."""

from schema.errors import PosefleetError
from schema.failpoint import hit
from schema.manifest import Failure, Manifest, State, Stitched
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.pictures import PictureList
from schema.plan import Plan
from schema.version import VERSION
from workers.storage.port import ObjectInfo, ObjectStore
from workers.storage.ranged import RangedFile
from workers.telemetry.measure import note
from workers.telemetry.meters import JOBS


def read_job(store: ObjectStore, job_id: str) -> VideoJob:
    """``job.json``, which never changes."""
    return VideoJob.from_json(store.get(JobKeys(job_id).job))


def read_plan(store: ObjectStore, job_id: str) -> Plan:
    """``plan.json``, which never changes."""
    return Plan.from_json(store.get(JobKeys(job_id).plan))


def read_stitched(store: ObjectStore, job_id: str) -> Stitched:
    """``stitched.json``, which never changes."""
    return Stitched.from_json(store.get(JobKeys(job_id).stitched()))


def source_file(store: ObjectStore, job: VideoJob) -> RangedFile:
    """The video of a job, exactly the version that was accepted."""
    source = job.source
    return RangedFile(store, ObjectInfo(source.bucket, source.key, source.etag, source.size))


def read_pictures(store: ObjectStore, job: VideoJob) -> PictureList:
    """The list of pictures of a job, exactly the version that was accepted."""
    return PictureList.from_json(source_file(store, job).read())


def ended(store: ObjectStore, job_id: str) -> bool:
    """Whether the job has its manifest: published, failed or cancelled. Then there is nothing left to do."""
    return store.head(JobKeys(job_id).manifest) is not None


def accept(store: ObjectStore, job: VideoJob) -> bool:
    """Write the record of a job, and that there is one under way; false when it had been accepted before."""
    keys = JobKeys(job.job_id)
    return store.head(keys.job) is None and accept_new(store, job)


def accept_new(store: ObjectStore, job: VideoJob) -> bool:
    """Like `accept`, without a look whether it is there: for many jobs that are not."""
    keys = JobKeys(job.job_id)
    store.put_new(keys.open, b"")
    return store.put_new(keys.job, job.to_json(), "application/json")


def end(store: ObjectStore, job: VideoJob, manifest: Manifest) -> None:
    """Publish the manifest of a job, unless it has one, and tidy up."""
    _publish(store, job, manifest)
    hit("publish.after_manifest", JobKeys(manifest.job_id).manifest)
    close(store, manifest.job_id)


def _publish(store: ObjectStore, job: VideoJob, manifest: Manifest) -> None:
    """Write a manifest; who comes first has ended the job.

    A note whom to tell comes before it, so that whoever dies in between leaves one that waits.
    """
    if job.webhook:
        store.put_new(JobKeys(job.job_id).notice, b"")
    if store.put_new(JobKeys(manifest.job_id).manifest, manifest.to_json(), "application/json"):
        note(JOBS, 1, manifest.state)


def end_early(*, store: ObjectStore, job: VideoJob, state: State, error: Failure | None) -> None:
    """Publish a manifest without results, unless the job has one.

    The job stays among the open ones until nothing works on it any more, see `producer.sweep`.
    """
    manifest = Manifest.model_validate({**about(job), "state": state, "error": error})
    _publish(store, job, manifest)
    tidy(store, job.job_id)


def tidy(store: ObjectStore, job_id: str) -> int:
    """Delete what an ended job does not need: pieces, and whatever its manifest does not list; how many objects."""
    keys = JobKeys(job_id)
    body = store.get_or_none(keys.manifest)
    if body is None:
        return 0 if store.head(keys.job) else purge(store, job_id)
    manifest = Manifest.from_json(body)
    listed = {keys.manifest, *(result.key for result in manifest.results)}
    prefixes = [keys.render_prefix, keys.results_prefix]
    if manifest.state in (State.FAILED, State.CANCELLED):
        prefixes.append(keys.poses_prefix)
    extra = [found.key for prefix in prefixes for found in store.objects(prefix) if found.key not in listed]
    store.delete(extra)
    return len(extra)


def close(store: ObjectStore, job_id: str) -> int:
    """Tidy up after a job on which nothing works any more; how many objects were deleted."""
    deleted = tidy(store, job_id)
    store.delete([JobKeys(job_id).open])
    return deleted


def purge(store: ObjectStore, job_id: str) -> int:
    """Delete every object of a job, its record last, so that a second call goes on where the first was cut off."""
    keys = JobKeys(job_id)
    last = [keys.manifest, keys.job]
    found = [each.key for each in store.objects(keys.prefix)]
    store.delete([key for key in found if key not in last])
    store.delete([keys.letters, keys.open, keys.notice])
    store.delete([key for key in last if key in found])
    return len(found)


def failure(error: BaseException) -> Failure:
    """An error as the manifest tells it."""
    if isinstance(error, PosefleetError):
        return Failure(reason=error.reason, message=str(error))
    return Failure(reason="internal", message=f"{type(error).__name__}: {error}")


def about(job: VideoJob) -> dict[str, object]:
    """What every manifest of ``job`` says."""
    return {
        "job_id": job.job_id,
        "source": {"uri": job.source.uri, "etag": job.source.etag, "size": job.source.size},
        "model": {**job.model.model_dump(), "input_size": job.options.input_size},
        "refiner": job.refiner and job.refiner.model_dump(),
        "options": job.options.model_dump(),
        "tracks_of": job.tracks_of,
        "again_of": job.again_of,
        "software_version": VERSION,
    }
