"""Publish: join the pieces with the source's sound, then write the manifest, which ends the job."""

from pathlib import Path

from schema.manifest import Manifest, People, ResultObject, Results, State, StepReport, Stitched
from schema.messages import VideoJob
from schema.names import ANNOTATED, TRACKS, JobKeys
from schema.plan import Plan
from workers.media.gallery import make_gallery
from workers.media.jail.calls import opened_sound
from workers.media.writer import join
from workers.stages.stitch import describe
from workers.storage.port import ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import about, end, source_file

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".webp": "image/webp"}

Times = dict[str, tuple[float, float]]


def publish(*, store: ObjectStore, job: VideoJob, plan: Plan, stitched: Stitched, times: Times, work: Path) -> str:
    """Write the remaining results and the manifest, drop the pieces; the manifest's key."""
    keys = JobKeys(job.job_id)
    results, given_up = list(stitched.results), set(stitched.dead_ranges)
    if job.options.render:
        annotated, unrendered = (
            _drawn(store, plan, keys) if job.pictures else _annotate(store, job, plan, stitched, work)
        )
        results.extend(annotated)
        given_up |= unrendered
    stream = {} if job.pictures else plan.stream.model_dump(exclude={"index", "frames"})
    facts = {
        **about(job),
        **stream,
        "state": State.PARTIAL if given_up or stitched.broken else State.SUCCEEDED,
        "broken": stitched.broken,
        "warnings": stitched.warnings,
        "frames": stitched.frames,
        "planned_frames": plan.stream.frames,
        "people": People(tracks=stitched.tracks, max_per_frame=stitched.max_people),
        "shots": stitched.shots,
        "tracks": stitched.people,
        "steps": _steps(times, stitched.frames),
        "dead_ranges": sorted(given_up),
        "results": results,
    }
    end(store, Manifest.model_validate(facts))
    return keys.manifest


def _annotate(
    store: ObjectStore, job: VideoJob, plan: Plan, stitched: Stitched, work: Path
) -> tuple[list[ResultObject], set[tuple[int, int]]]:
    """Join the pieces that there are; the video, its pictures, and the ranges without a piece."""
    keys = JobKeys(job.job_id)
    found = {r: store.head(keys.piece(r.start, r.stop)) for r in plan.ranges}
    pieces = [RangedFile(store, info) for info in found.values() if info is not None and info.size]
    missing = {(r.start, r.stop) for r, info in found.items() if info is None}
    if not pieces:
        return [], missing
    path = work / ANNOTATED
    join(pieces, source_file(store, job), plan, job.options, path, opened_sound)
    tracks = work / TRACKS
    store.download(JobKeys(job.plan_of).result(TRACKS), tracks)
    stops = (*stitched.first_indexes[1:], stitched.frames)
    counted = zip(found.values(), stitched.first_indexes, stops, strict=True)
    left_out = [(first, stop) for info, first, stop in counted if info is None]
    made = [path, *make_gallery(path, tracks, work, left_out)]
    for each in made:
        store.put_new_file(keys.result(each.name), each, _CONTENT_TYPES[each.suffix])
    return [describe(keys, each.name, each) for each in made], missing


def _drawn(store: ObjectStore, plan: Plan, keys: JobKeys) -> tuple[list[ResultObject], set[tuple[int, int]]]:
    """The annotated pictures that there are, and the ranges without any."""
    lists = {(r.start, r.stop): store.get_or_none(keys.drawn(r.start, r.stop)) for r in plan.ranges}
    drawn = [Results.from_json(body).results for body in lists.values() if body is not None]
    return [result for results in drawn for result in results], {r for r, body in lists.items() if body is None}


def _steps(times: Times, frames: int) -> dict[str, StepReport]:
    return {
        step: StepReport(
            seconds=round(end - start, 3),
            frames_per_second=round(frames / (end - start), 1) if end > start else None,
        )
        for step, (start, end) in times.items()
    }
