"""The tasks: each unpacks a message, calls one stage, and says what follows.

Importing this module loads no TensorFlow, no PyAV and no boto3.
"""

import logging
import os
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from celery.signals import worker_init, worker_process_init, worker_ready

from schema.errors import JobEnded
from schema.messages import FrameBatch, JobReference, VideoJob
from schema.names import TASK_INFER, TASK_PUBLISH, TASK_RENDER, TASK_STITCH, WHOLE
from schema.plan import Plan
from schema.settings import current
from workers import held
from workers.app import app
from workers.garbage import settle
from workers.ready import BEAT_S, CONSUMING, beat_for_processes, touch
from workers.task import DEVICE_LOST, FleetTask
from workers.work import clear_work, work_folder

log = logging.getLogger("posefleet")


class InferTask(FleetTask):
    """A task per batch; stitch follows the last."""

    abstract = True
    message_type, step, following = FrameBatch, "infer", TASK_STITCH


class StitchTask(FleetTask):
    """A task of the whole job."""

    abstract = True
    step = "stitch"

    def go_on_with(self, job: VideoJob, plan: Plan) -> None:
        """Send a render message per range, or publish when nothing is to be rendered."""
        if job.options.render:
            self.go_on(TASK_RENDER, job.job_id, plan.units)
        else:
            self.go_on(TASK_PUBLISH, job.job_id, [WHOLE])


class RenderTask(FleetTask):
    """A task per batch; publish follows the last."""

    abstract = True
    message_type, step, following = FrameBatch, "render", TASK_PUBLISH


class PublishTask(FleetTask):
    """A task of the whole job."""

    abstract = True
    step = "publish"


@app.task(name=TASK_INFER, base=InferTask, bind=True)
def infer(self: InferTask, batch: FrameBatch) -> str | None:
    """Find people in a frame range."""
    from workers.models.loaded import engine_for
    from workers.stages import again
    from workers.storage import known
    from workers.storage.records import ended

    if ended(held.store(), batch.job_id):
        return None
    job, plan = known.job(held.store(), batch.job_id), known.plan(held.store(), batch.job_id)
    wanted = plan.range_of(batch.start, batch.stop)
    if (adopted := again.adopt(held.store(), job, wanted)) is not None:
        key = adopted
    elif job.pictures:
        from workers.stages import pictures

        key = pictures.infer(store=held.store(), load_engine=engine_for, job=job, wanted=wanted)
    else:
        from workers.stages import infer as videos

        key = videos.infer(store=held.store(), load_engine=engine_for, job=job, plan=plan, wanted=wanted)
    self.finish(batch, len(plan.ranges))
    return key


@app.task(name=TASK_STITCH, base=StitchTask, bind=True)
def stitch(self: StitchTask, reference: JobReference) -> str | None:
    """Track people through the whole video."""
    from workers.stages import pictures
    from workers.stages import stitch as videos
    from workers.storage import known
    from workers.storage.records import ended

    if ended(held.store(), reference.job_id):
        return None
    job, plan = known.job(held.store(), reference.job_id), known.plan(held.store(), reference.job_id)
    stage = pictures.collect if job.pictures else videos.stitch
    with work_folder() as work:
        stage(store=held.store(), job=job, plan=plan, work=Path(work))
    self.finish_step(reference)
    self.go_on_with(job, plan)
    return reference.job_id


@app.task(name=TASK_RENDER, base=RenderTask, bind=True)
def render(self: RenderTask, batch: FrameBatch) -> str | None:
    """Draw a frame range of the annotated video."""
    from workers.storage import known
    from workers.storage.records import ended

    if ended(held.store(), batch.job_id):
        return None
    job, plan = known.job(held.store(), batch.job_id), known.plan(held.store(), batch.job_id)
    stitched = known.stitched(held.store(), batch.job_id)
    wanted = plan.range_of(batch.start, batch.stop)
    with work_folder() as work:
        if job.pictures:
            from workers.stages import pictures

            key = pictures.draw(store=held.store(), job=job, wanted=wanted, work=Path(work))
        else:
            from workers.stages import render as videos

            nvenc = current().nvenc
            key = videos.render(store=held.store(), job=job, plan=plan, stitched=stitched, wanted=wanted, nvenc=nvenc)
    self.finish(batch, len(plan.ranges))
    return key


@app.task(name=TASK_PUBLISH, base=PublishTask, bind=True)
def publish(self: PublishTask, reference: JobReference) -> str | None:
    """Join the pieces and write the manifest."""
    from workers.stages import publish as stage
    from workers.storage import known
    from workers.storage.records import ended

    if ended(held.store(), reference.job_id):
        self.tell_ended(reference.job_id)  # whoever wrote the manifest may have died of it
        return None
    job, plan = known.job(held.store(), reference.job_id), known.plan(held.store(), reference.job_id)
    stitched = known.stitched(held.store(), reference.job_id)
    steps = held.progress().steps(reference.job_id, stitched.frames)
    with work_folder() as work:
        key = stage.publish(
            store=held.store(),
            job=job,
            plan=plan,
            stitched=stitched,
            steps=steps,
            work=Path(work),
            ending=held.watch().rest,
        )
    with suppress(JobEnded):
        self.finish_step(reference)
    self.tell_ended(reference.job_id)
    return key


_LOOK_S = 0.5
"""Celery looks every five seconds: the pipe that would tell it at once stays open in other processes."""


@worker_init.connect
def settle_first(**_: object) -> None:
    """What the worker itself has loaded lasts, before it connects."""
    settle()


@worker_process_init.connect
def warm_up(**_: object) -> None:
    """Load the model before a process takes a message, and meanwhile what the first message needs last."""
    clear_work()
    if current().warm_model:
        _warm_model()
    threading.Thread(target=_load_the_rest, name="load-the-rest", daemon=True).start()
    touch(f"process-{os.getpid()}")


def _warm_model() -> None:
    """End this process where that fails: Celery would go on, and every job that it got would fail."""
    from workers.models.loaded import warm

    try:
        warm(current())
    except Exception:
        log.critical("no model, so this process ends; the next one tries again", exc_info=True)
        logging.shutdown()
        os._exit(DEVICE_LOST)


def _load_the_rest() -> None:
    held.store()
    held.progress()
    if current().warm_model:
        import_module("workers.core.decoder").load()
    else:
        for name in ("stitch", "render", "publish"):
            import_module(f"workers.stages.{name}")
        import_module("workers.stages.tracking").load()
    import_module("workers.media.jail.calls").warm()
    settle()
    touch(f"warm-{os.getpid()}")


@worker_ready.connect
def say_ready(sender: Any, **_: object) -> None:
    """Note that this worker consumes, and from now on that its loop goes round; look for lost processes more often."""
    touch(CONSUMING)
    beat_for_processes()
    sender.timer.call_repeatedly(_LOOK_S, sender.pool._pool.maintain_pool)
    sender.timer.call_repeatedly(BEAT_S, beat_for_processes)
