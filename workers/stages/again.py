"""A job that does the dead batches of another one again takes over what that one has done."""

from schema.messages import VideoJob
from schema.names import JobKeys
from schema.plan import FrameRange
from workers.storage.port import ObjectStore


def adopt(store: ObjectStore, job: VideoJob, wanted: FrameRange) -> str | None:
    """Copy the poses of ``wanted`` from the job that this one goes on with; their key, none where there are none."""
    key = JobKeys(job.job_id).poses(wanted.start, wanted.stop)
    if job.again_of is None or store.head(key) is not None:
        return None
    body = store.get_or_none(JobKeys(job.again_of).poses(wanted.start, wanted.stop))
    if body is None:
        return None
    store.put_new(key, body)
    return key
