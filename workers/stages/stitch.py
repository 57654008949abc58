"""Stitch: the poses of all ranges, in order, to tracks, and everything that is made of tracks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np

from schema.errors import NoFrames
from schema.failpoint import hit
from schema.manifest import Stitched
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.plan import FrameRange, Plan
from workers.core.poses import NO_PEOPLE
from workers.formats.poses import read_poses
from workers.stages.dead import body_of, dead_ranges
from workers.stages.products import About, make, packed
from workers.stages.results import write_result
from workers.stages.tracking import Frame
from workers.storage.port import ObjectStore
from workers.storage.several import answers
from workers.telemetry.measure import finished


@dataclass
class _Tally:
    """What reading the poses finds out on its way."""

    decoded: int = 0
    missing: int = 0
    damaged: int = 0
    first_indexes: list[int] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)


def stitch(*, store: ObjectStore, job: VideoJob, plan: Plan, work: Path) -> Stitched:
    """Write the track file of a job, what is made of it, then what they hold.

    Raises:
        NoFrames: no frame of the video could be decoded.
    """
    keys = JobKeys(job.job_id)
    if (done := store.get_or_none(keys.stitched())) is not None:
        return Stitched.from_json(done)
    tally, folder = _Tally(), work / "products"
    made = make(_frames(store, plan, keys, tally), _about(job, plan), job.options, folder)
    if not tally.decoded:
        raise NoFrames("no frame of the video could be decoded")
    files = [(path.relative_to(folder).as_posix(), path, content_type) for path, content_type in packed(folder)]
    results = answers(lambda file: write_result(store, keys, *file), files)
    stitched = Stitched(
        frames=made.frames,
        tracks=len(made.reports),
        max_people=made.max_people,
        first_indexes=tuple(tally.first_indexes),
        dead_ranges=tuple(tally.dead),
        warnings=(*_warnings(tally, plan), *made.warnings),
        shots=made.shots,
        people=made.reports,
        results=tuple(results),
    )
    hit("stitch.before_stitched", keys.stitched())
    store.put_new(keys.stitched(), stitched.to_json(), "application/json")
    finished(made.frames)
    return stitched


def _frames(store: ObjectStore, plan: Plan, keys: JobKeys, tally: _Tally) -> Iterator[Frame]:
    """Every frame in order; those of a range that was given up show nobody."""
    time_base = Fraction(plan.stream.time_base)
    index, dead = 0, dead_ranges(store, keys.job_id, "infer")
    bodies = answers(lambda each: body_of(store, keys.poses(each.start, each.stop), each, dead), plan.ranges)
    for planned, body in zip(plan.ranges, bodies, strict=True):
        tally.first_indexes.append(index)
        if body is None:
            tally.dead.append((planned.start, planned.stop))
            times = _planned_times(planned, plan)
            yield from (Frame(time_s, NO_PEOPLE, None) for time_s in times)
            index += len(times)
            continue
        poses = read_poses(body)
        tally.missing += max(0, poses.planned - len(poses.pts))
        tally.decoded += len(poses.pts)
        tally.damaged += poses.damaged
        index += len(poses.pts)
        for pts, people, sketch in zip(poses.pts, poses.frames(), poses.looks(), strict=True):
            yield Frame(float(int(pts) * time_base), people, sketch)


def _planned_times(planned: FrameRange, plan: Plan) -> list[float]:
    """Times that the frames of a range should have, evenly spaced."""
    time_base, count = Fraction(plan.stream.time_base), planned.stop - planned.start
    first = float(planned.first_pts * time_base)
    last = count / (plan.stream.frame_rate or 1.0) if planned.end_pts is None else float(planned.end_pts * time_base)
    end = first + last if planned.end_pts is None else last
    return [float(time_s) for time_s in np.linspace(first, end, count, endpoint=False)]


def _warnings(tally: _Tally, plan: Plan) -> tuple[str, ...]:
    planned, found = plan.stream.frames, list(plan.warnings)
    if tally.missing:
        found.append(f"{tally.missing} of {planned} frames could not be decoded and are left out")
    if tally.damaged:
        found.append(f"{tally.damaged} of {planned} frames are damaged in the file: what they show is made up in part")
    return tuple(found)


def _about(job: VideoJob, plan: Plan) -> About:
    stream = plan.stream
    metadata: dict[str, object] = {
        "source": {"uri": job.source.uri, "etag": job.source.etag, "size": job.source.size},
        "model": job.model.model_dump(mode="json"),
        "options": job.options.model_dump(mode="json"),
        "stream": stream.model_dump(mode="json"),
    }
    name = PurePosixPath(job.source.key).stem
    return About(name, job.source.uri, stream.display_width, stream.display_height, stream.frame_rate, metadata)
