"""What people are told about jobs: where each stands, without a look into object storage."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from schema.manifest import Failure, Manifest, State
from schema.messages import Priority, VideoJob
from schema.record import Record
from schema.speed import reports, speed_of_light


class StepProgress(BaseModel):
    """Frames of one step that are done, of all there are."""

    model_config = ConfigDict(frozen=True)

    done: int
    total: int


class JobInfo(Record):
    """Where a job stands."""

    job_id: str
    uri: str
    submitter: str = ""
    priority: Priority = "auto"
    state: State = State.QUEUED
    created_s: float = 0.0
    """Seconds since 1970."""
    ended_s: float | None = None
    frames: int | None = None
    """Once the plan is known."""
    steps: dict[str, StepProgress] = {}
    """``infer`` and ``render``, as far as the job has them, once the plan is known."""
    people: int | None = None
    """Most in one frame."""
    tracks: int | None = None
    speed_of_light: float | None = None
    """See `schema.manifest.StepReport`; of what is done so far."""
    error: Failure | None = None
    dead_ranges: int = 0
    """Frame ranges that were given up."""
    warnings: int = 0
    pictures: bool = False
    work: tuple[str, ...] = ()
    """The steps that count frames."""


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[JobInfo, ...]
    cursor: str = ""
    """Asks for the jobs that follow; empty when there are no more."""


def accepted_info(job: VideoJob) -> JobInfo:
    """A job that nothing has been done for."""
    work = ("render",) if job.tracks_of else ("infer", "render") if job.options.render else ("infer",)
    return JobInfo(
        job_id=job.job_id,
        uri=job.source.uri,
        submitter=job.submitter,
        priority=job.priority,
        created_s=job.created_s,
        pictures=job.pictures,
        work=work,
    )


def ended_info(job: VideoJob, manifest: Manifest, ended_s: float) -> JobInfo:
    """A job that has its manifest."""
    published, info = manifest.state in (State.SUCCEEDED, State.PARTIAL), accepted_info(job)
    total = manifest.planned_frames
    return info.model_copy(
        update={
            "state": manifest.state,
            "ended_s": ended_s,
            "frames": total if published else None,
            "steps": {name: StepProgress(done=total, total=total) for name in info.work} if published else {},
            "people": manifest.people.max_per_frame if published else None,
            "tracks": manifest.people.tracks if published else None,
            "speed_of_light": manifest.speed_of_light,
            "error": manifest.error,
            "dead_ranges": len(manifest.dead_ranges),
            "warnings": len(manifest.warnings),
        }
    )


def going_info(info: JobInfo, times: Mapping[str, str]) -> JobInfo:
    """The same job as its ``times`` in Redis tell (`schema.names.ProgressKeys`)."""
    if info.state.final or not times:
        return info
    if "frames" not in times:
        return info.model_copy(update={"state": State.PLANNING if "split:start" in times else State.QUEUED})
    total = int(times["frames"])
    steps = {
        name: StepProgress(done=min(total, int(times.get(f"{name}:frames", 0))), total=total) for name in info.work
    }
    return info.model_copy(
        update={
            "frames": total,
            "steps": steps,
            "state": _state(steps, stitched="stitch:end" in times),
            "speed_of_light": speed_of_light(reports(times, total).values()),
        }
    )


def _state(steps: Mapping[str, StepProgress], *, stitched: bool) -> State:
    infer, render = steps.get("infer"), steps.get("render")
    if infer and infer.done < infer.total:
        return State.INFERRING
    if infer and not stitched:
        return State.STITCHING
    return State.RENDERING if render and render.done < render.total else State.PUBLISHING
