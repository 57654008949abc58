"""The records of a job in storage: read them, and write the one that ends it."""

from functools import lru_cache

from schema.errors import PosefleetError
from schema.failpoint import hit
from schema.manifest import Failure, Manifest, State, Stitched
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.pictures import PictureList
from schema.plan import FrameRange, Plan
from schema.version import VERSION
from workers.storage.port import ObjectInfo, ObjectStore
from workers.storage.ranged import RangedFile


@lru_cache(maxsize=4)
def read_job(store: ObjectStore, job_id: str) -> VideoJob:
    """``job.json``, which never changes."""
    return VideoJob.from_json(store.get(JobKeys(job_id).job))


@lru_cache(maxsize=4)
def read_plan(store: ObjectStore, job_id: str) -> Plan:
    """``plan.json``, which never changes."""
    return Plan.from_json(store.get(JobKeys(job_id).plan))


def read_header(store: ObjectStore, job_id: str, wanted: FrameRange) -> bytes:
    """What makes a file of the bytes that hold a range; empty where the range has none of its own."""
    if wanted.window is None:
        return b""
    start, stop = wanted.window.header
    return store.get_range(ObjectInfo(store.bucket, JobKeys(job_id).index, "", 0), start, stop)


def read_stitched(store: ObjectStore, job_id: str) -> Stitched:
    """``stitched.json``."""
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


def end(store: ObjectStore, manifest: Manifest) -> bool:
    """Publish the manifest of a job and drop its pieces; false when the job had ended already."""
    keys = JobKeys(manifest.job_id)
    first = store.put_new(keys.manifest, manifest.to_json(), "application/json")
    hit("publish.after_manifest", keys.manifest)
    store.delete([found.key for found in store.objects(f"{keys.prefix}render/")])
    return first


def end_early(*, store: ObjectStore, job: VideoJob, state: State, error: Failure | None) -> bool:
    """Publish a manifest without results; false when the job had ended already."""
    return end(store, Manifest.model_validate({**about(job), "state": state, "error": error}))


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
        "software_version": VERSION,
    }
