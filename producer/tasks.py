"""The task of the plan queue."""

from schema.failpoint import hit
from schema.messages import FrameBatch, JobReference
from schema.names import TASK_INFER, TASK_RENDER, TASK_SPLIT
from schema.settings import current
from workers.app import app
from workers.task import FleetTask, store


class SplitTask(FleetTask):
    """A task of the whole job."""

    abstract = True
    step = "split"


@app.task(name=TASK_SPLIT, base=SplitTask, bind=True)
def split(self: SplitTask, reference: JobReference) -> int:
    """Cut a video into frame batches."""
    from producer import split as stage
    from workers.storage.records import ended, read_job

    if ended(store(), reference.job_id):
        return 0
    job = read_job(store(), reference.job_id)
    plan = stage.split(store=store(), job=job, aim=current().batch_frames)
    hit("split.before_messages", f"{plan.job_id}/all")
    follows = TASK_RENDER if job.tracks_of else TASK_INFER
    for planned in plan.ranges:
        self.go_on(follows, FrameBatch(job_id=plan.job_id, start=planned.start, stop=planned.stop))
        hit("split.between_messages", f"{plan.job_id}/{planned.start:08d}")
    self.finish_step(reference)
    return len(plan.ranges)
