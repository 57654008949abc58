"""Where jobs stand: from the catalog in Redis, else from object storage, which always knows."""

import logging
from collections.abc import Iterable
from functools import partial

from producer.missing import Missing, missing
from schema.catalog import JobInfo, StepProgress, accepted_info, ended_info
from schema.errors import MessageError, SourceMissing
from schema.manifest import Manifest, State
from schema.messages import VideoJob
from schema.names import JOBS, JobKeys
from workers.ready import beat
from workers.storage.catalog import Catalog
from workers.storage.port import ObjectStore
from workers.storage.progress import frames_in
from workers.storage.several import answers

log = logging.getLogger("posefleet")

_AT_ONCE = 16
_NEXT = {
    "split": State.QUEUED,
    "infer": State.INFERRING,
    "stitch": State.STITCHING,
    "render": State.RENDERING,
    "publish": State.PUBLISHING,
}


def info_from_storage(store: ObjectStore, job_id: str) -> JobInfo:
    """Where a job stands, as its objects tell.

    Raises:
        SourceMissing: there is no such job.
        MessageError: its records are of another version.
    """
    keys = JobKeys(job_id)
    if (body := store.get_or_none(keys.job)) is None:
        raise SourceMissing(f"there is no job {job_id}")
    job = VideoJob.from_json(body)
    if (manifest := store.head(keys.manifest)) is not None:
        return ended_info(job, Manifest.from_json(store.get(keys.manifest)), manifest.modified_s)
    left = missing(store, job_id)
    return _under_way(accepted_info(job), left) if left else accepted_info(job)


def _under_way(info: JobInfo, left: Missing) -> JobInfo:
    if left.step == "split":
        return info
    done = {name: sum(map(frames_in, left.done.get(name, ()))) for name in info.work}
    steps = {name: StepProgress(done=count, total=left.frames) for name, count in done.items()}
    return info.model_copy(update={"state": _NEXT[left.step], "frames": left.frames, "steps": steps})


def complete(store: ObjectStore, catalog: Catalog, job_ids: Iterable[str] | None = None) -> int:
    """Enter the jobs of storage that the catalog does not know; how many there were.

    Args:
        store: where jobs are.
        catalog: what Redis knows.
        job_ids: only these; none: all there are.

    Jobs whose records cannot be read, or that are being deleted, are left out.

    Raises:
        StorageUnavailable, BrokerUnavailable
    """
    unknown = catalog.unknown(store.folders(JOBS) if job_ids is None else job_ids)
    found = answers(partial(_readable, store), unknown, _AT_ONCE)
    catalog.restore(info for info in found if info)
    if job_ids is None:
        catalog.set_whole()
    return len(unknown)


def _readable(store: ObjectStore, job_id: str) -> JobInfo | None:
    beat()
    try:
        return info_from_storage(store, job_id)
    except (SourceMissing, MessageError) as error:
        log.warning("job %s is not listed: %s", job_id, error)
        return None
