"""Split: the container's index to a plan, and a message per frame range."""

import numpy as np

from producer.pictures import plan_pictures
from producer.planner import aim_for, cut, frame_ranges, target_frames
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.plan import FrameRange, Plan
from workers.media.index import FrameTable, read_index
from workers.storage.port import ObjectInfo, ObjectStore
from workers.storage.ranged import RangedFile


def split(*, store: ObjectStore, job: VideoJob, aim: int) -> Plan:
    """Write the plan of a job, unless there is one, and return the one that is there.

    Args:
        store: where the job is.
        job: what was asked for.
        aim: frames per range when the job does not say.

    Raises:
        VideoError: the source is not a video that can be processed; the message says why.
        SourceMissing, SourceChanged, StorageUnavailable
    """
    keys = JobKeys(job.job_id)
    if (stored := store.get_or_none(keys.plan)) is None:
        plan = make_plan(store, job, aim)
        if store.put_new(keys.plan, plan.to_json(), "application/json"):
            return plan
        stored = store.get(keys.plan)
    return Plan.from_json(stored)


def make_plan(store: ObjectStore, job: VideoJob, aim: int) -> Plan:
    """Read the index of a job's video and cut its frames, or cut its list of pictures."""
    if job.pictures:
        return plan_pictures(store, job)
    source = job.source
    index = read_index(RangedFile(store, ObjectInfo(source.bucket, source.key, source.etag, source.size)))
    ranges = _ranges(index.table, index.stream.frames, job.batch_frames, aim_for(aim, job.options.work))
    return Plan(
        job_id=job.job_id,
        stream=index.stream,
        ranges=tuple(ranges),
        sequential=index.table.sequential,
        warnings=index.warnings,
    )


def _ranges(table: FrameTable, frames: int, asked: int | None, aim: int) -> list[FrameRange]:
    if table.sequential:
        return [FrameRange(start=0, stop=frames, first_pts=0, end_pts=None, seek_dts=None)]
    keys = np.searchsorted(table.pts, table.key_pts)
    target = asked or target_frames(frames, aim)
    cuts = cut(frames, keys.astype(np.int64), target, exact=asked is not None)
    return frame_ranges(cuts, table.pts, table.key_pts, table.key_dts)
