"""What a job still needs, as its objects in storage tell: the truth that Redis is a cache of."""

from dataclasses import dataclass, field

from schema.messages import VideoJob
from schema.names import WHOLE, JobKeys
from schema.plan import FrameRange, Plan
from workers.storage.port import ObjectStore
from workers.storage.records import read_job, read_plan

Done = dict[str, set[str]]
"""Finished units by step; dead ones count as finished."""


@dataclass(frozen=True)
class Missing:
    """What would take a job on, and what need not be done again."""

    step: str
    units: list[str]
    done: Done = field(default_factory=dict)
    frames: int = 0
    """Of the job; 0 before it has a plan."""


def missing(store: ObjectStore, job_id: str) -> Missing | None:
    """What to do next for a job; none when it has ended, or was never accepted.

    Raises:
        MessageError: its records are of another version.
        StorageUnavailable
    """
    keys = JobKeys(job_id)
    there = {found.key for found in store.objects(keys.prefix)}
    if keys.manifest in there or keys.job not in there:
        return None
    if keys.plan not in there:
        return Missing("split", [WHOLE])
    job, plan = read_job(store, job_id), read_plan(store, job_id)
    done = {step: _done(there, keys, job, plan, step) for step in ("infer", "render")}
    done["split"] = {WHOLE}
    if keys.stitched() in there:
        done["stitch"] = {WHOLE}
    return _next(job, plan, done)


def _next(job: VideoJob, plan: Plan, done: Done) -> Missing:
    if "stitch" not in done:
        left = [unit for unit in plan.units if unit not in done["infer"]]
        step, left = ("infer", left) if left else ("stitch", [WHOLE])
        return Missing(step, left, done, plan.stream.frames)
    left = [unit for unit in plan.units if job.options.render and unit not in done["render"]]
    step, left = ("render", left) if left else ("publish", [WHOLE])
    return Missing(step, left, done, plan.stream.frames)


def _done(there: set[str], keys: JobKeys, job: VideoJob, plan: Plan, step: str) -> set[str]:
    return {
        unit
        for planned, unit in zip(plan.ranges, plan.units, strict=True)
        if {_object(keys, job, planned, step), keys.dead(step, planned.start, planned.stop)} & there
    }


def _object(keys: JobKeys, job: VideoJob, planned: FrameRange, step: str) -> str:
    """What ``step`` writes for a range."""
    if step == "infer":
        return keys.poses(planned.start, planned.stop)
    return (keys.drawn if job.pictures else keys.piece)(planned.start, planned.stop)
