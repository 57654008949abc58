"""Stitch: the poses of all ranges, in order, through one tracker into the track file."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from schema.errors import NoFrames
from schema.manifest import ResultObject, Stitched
from schema.messages import VideoJob
from schema.names import COCO, TRACKS, JobKeys
from schema.plan import Plan
from workers.core.poses import RangePoses
from workers.core.tracker import Tracker, TrackerRules
from workers.formats.coco import CocoWriter
from workers.formats.poses import read_poses
from workers.formats.tracks import TracksWriter
from workers.storage.port import ObjectStore


@dataclass
class _Tally:
    """What stitching finds out on its way."""

    frames: int = 0
    missing: int = 0
    max_people: int = 0
    first_indexes: list[int] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)


def stitch(*, store: ObjectStore, job: VideoJob, plan: Plan, work: Path) -> Stitched:
    """Write the track file of a job, then what it holds.

    Raises:
        NoFrames: no frame of the video could be decoded.
    """
    keys = JobKeys(job.job_id)
    if (done := store.get_or_none(keys.stitched())) is not None:
        return Stitched.from_json(done)
    path = work / TRACKS
    tracker = Tracker(TrackerRules(min_score=job.options.min_score, weak_score=job.options.min_score / 2))
    with TracksWriter(path, _metadata(job, plan)) as writer, ExitStack() as more:
        coco = more.enter_context(CocoWriter(work / COCO, images=True)) if "coco" in job.options.formats else None
        tally = _track(store, plan, keys, tracker, writer, coco)
    if tally.frames == 0:
        raise NoFrames("no frame of the video could be decoded")
    store.put_new_file(keys.result(TRACKS), path, "application/vnd.apache.parquet")
    results = [describe(keys, TRACKS, path)]
    if coco:
        store.put_new_file(keys.result(COCO), work / COCO, "application/json")
        results.append(describe(keys, COCO, work / COCO))
    stitched = Stitched(
        frames=tally.frames,
        tracks=tracker.count,
        max_people=tally.max_people,
        first_indexes=tuple(tally.first_indexes),
        dead_ranges=tuple(tally.dead),
        warnings=_warnings(tally, plan),
        results=tuple(results),
    )
    store.put_new(keys.stitched(), stitched.to_json(), "application/json")
    return stitched


def describe(keys: JobKeys, name: str, path: Path) -> ResultObject:
    """A result file as the manifest lists it."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ResultObject(name=name, key=keys.result(name), size=path.stat().st_size, sha256=digest)


def _track(
    store: ObjectStore, plan: Plan, keys: JobKeys, tracker: Tracker, writer: TracksWriter, coco: CocoWriter | None
) -> _Tally:
    tally = _Tally()
    time_base = Fraction(plan.stream.time_base)
    for start, stop, poses in _ranges(store, plan, keys):
        tally.first_indexes.append(tally.frames)
        if poses is None:
            tally.dead.append((start, stop))
            tally.frames += stop - start
            continue
        tally.missing += max(0, poses.planned - len(poses.pts))
        for pts, people in zip(poses.pts, poses.frames(), strict=True):
            time_s = float(int(pts) * time_base)
            ids = tracker.update(people, time_s)
            tracked = np.flatnonzero(ids)
            writer.add(tally.frames, time_s, ids[tracked], people.pick(tracked))
            if coco:
                size = plan.stream.display_width, plan.stream.display_height
                coco.add(tally.frames, f"frame {tally.frames}", size, people)
            tally.max_people = max(tally.max_people, len(tracked))
            tally.frames += 1
    return tally


def _ranges(store: ObjectStore, plan: Plan, keys: JobKeys) -> Iterator[tuple[int, int, RangePoses | None]]:
    """Planned ranges in order with their poses; none for a range that was given up."""
    for planned in plan.ranges:
        body = store.get_or_none(keys.poses(planned.start, planned.stop))
        yield planned.start, planned.stop, None if body is None else read_poses(body)


def _warnings(tally: _Tally, plan: Plan) -> tuple[str, ...]:
    if not tally.missing:
        return plan.warnings
    planned = plan.stream.frames
    return (*plan.warnings, f"{tally.missing} of {planned} frames could not be decoded and are left out")


def _metadata(job: VideoJob, plan: Plan) -> dict[str, object]:
    return {
        "source": {"uri": job.source.uri, "etag": job.source.etag, "size": job.source.size},
        "model": job.model.model_dump(mode="json"),
        "options": job.options.model_dump(mode="json"),
        "stream": plan.stream.model_dump(mode="json"),
    }
