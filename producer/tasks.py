"""The task of the plan queue."""

from schema.errors import FleetBusy
from schema.failpoint import hit
from schema.messages import JobReference
from schema.names import TASK_INFER, TASK_RENDER, TASK_SPLIT
from schema.queue import step_of
from schema.settings import current
from workers import held
from workers.app import app
from workers.task import FleetTask


class SplitTask(FleetTask):
    """A task of the whole job."""

    abstract = True
    step = "split"


@app.task(name=TASK_SPLIT, base=SplitTask, bind=True)
def split(self: SplitTask, reference: JobReference) -> int:
    """Cut a video into frame batches."""
    from producer import split as stage
    from workers.storage.records import ended, read_job

    if ended(held.store(), reference.job_id):
        return 0
    job = read_job(held.store(), reference.job_id)
    follows = TASK_RENDER if job.tracks_of else TASK_INFER
    leave_room(step_of(follows))
    plan = stage.split(store=held.store(), job=job, aim=current().batch_frames)
    hit("split.before_messages", f"{job.job_id}/all")
    held.progress().planned(job.job_id, plan.stream.frames)
    self.go_on(follows, job.job_id, plan.units)
    self.finish_step(reference)
    return len(plan.ranges)


def leave_room(step: str) -> None:
    """Split no further video while as much waits as Redis is meant to hold."""
    waiting, most = held.progress().outstanding(step), current().max_waiting
    if waiting >= most:
        raise FleetBusy(f"{waiting} batches wait for {step}, POSEFLEET_MAX_WAITING is {most}")
