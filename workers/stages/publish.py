"""Publish: join the pieces with the source's sound, then write the manifest, which ends the job."""

from collections.abc import Callable
from pathlib import Path

from schema.errors import DecoderDied, SourceMissing, VideoError
from schema.failpoint import hit
from schema.manifest import Manifest, People, ResultObject, Results, State, StepReport, Stitched
from schema.messages import VideoJob
from schema.names import ANNOTATED, TRACKS, JobKeys
from schema.plan import FrameRange, Plan
from schema.speed import speed_of_light
from workers.media.gallery import make_gallery
from workers.media.jail.calls import opened_sound
from workers.media.painter import Painter
from workers.media.writer import join
from workers.stages.dead import dead_ranges
from workers.stages.results import write_result
from workers.storage.port import ObjectInfo, ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import about, end, source_file
from workers.storage.several import answers

_CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".webp": "image/webp"}

Ranges = set[tuple[int, int]]


def publish(
    *,
    store: ObjectStore,
    job: VideoJob,
    plan: Plan,
    stitched: Stitched,
    steps: dict[str, StepReport],
    work: Path,
    ending: Callable[[], None] = lambda: None,
) -> str:
    """Write the remaining results and the manifest, drop the pieces; the manifest's key.

    ``ending`` is called before the manifest is written: whoever looks for the end of jobs may see this one at once.
    """
    keys = JobKeys(job.job_id)
    results, given_up, warnings = list(stitched.results), set(stitched.dead_ranges), list(stitched.warnings)
    if job.options.render:
        missing = dead_ranges(store, job.job_id, "render")
        if Painter(frozenset(job.options.style)).hides:
            missing |= given_up
        if job.pictures:
            results += _drawn(store, job, plan, missing)
        else:
            results += _annotate(store, job, plan, stitched, missing, work, warnings)
        given_up |= missing
    stream = {} if job.pictures else plan.stream.model_dump(exclude={"index", "frames"})
    facts = {
        **about(job),
        **stream,
        "state": State.PARTIAL if given_up or stitched.broken else State.SUCCEEDED,
        "broken": stitched.broken,
        "warnings": warnings,
        "frames": stitched.frames,
        "planned_frames": plan.stream.frames,
        "people": People(tracks=stitched.tracks, max_per_frame=stitched.max_people),
        "shots": stitched.shots,
        "tracks": stitched.people,
        "steps": steps,
        "speed_of_light": speed_of_light(steps.values()),
        "dead_ranges": sorted(given_up),
        "results": results,
    }
    hit("publish.before_manifest", keys.manifest)
    ending()
    end(store, job, Manifest.model_validate(facts))
    return keys.manifest


def _annotate(
    store: ObjectStore,
    job: VideoJob,
    plan: Plan,
    stitched: Stitched,
    missing: Ranges,
    work: Path,
    warnings: list[str],
) -> list[ResultObject]:
    """Join the pieces of all ranges that are not ``missing``: the video and its pictures.

    Sound that cannot be read is left out, with a warning.
    """
    keys = JobKeys(job.job_id)
    there = {info.key: info for info in store.objects(keys.render_prefix)}
    found = [_piece(there, keys, planned, missing) for planned in plan.ranges]
    pieces = [RangedFile(store, info) for info in found if info is not None and info.size]
    if not pieces:
        return []
    path = work / ANNOTATED
    source = source_file(store, job)
    try:
        join(pieces, source, plan, job.options, path, opened_sound)
    except (VideoError, DecoderDied) as error:
        warnings.append(f"the sound cannot be read and is left out: {error}")
        join(pieces, source, plan, job.options, path, None)
    tracks = work / TRACKS
    store.download(JobKeys(job.plan_of).result(TRACKS), tracks)
    stops = (*stitched.first_indexes[1:], stitched.frames)
    counted = zip(found, stitched.first_indexes, stops, strict=True)
    left_out = [(first, stop) for info, first, stop in counted if info is None]
    made = [path, *make_gallery(path, tracks, work, left_out)]
    return list(answers(lambda each: write_result(store, keys, each.name, each, _CONTENT_TYPES[each.suffix]), made))


def _piece(there: dict[str, ObjectInfo], keys: JobKeys, planned: FrameRange, missing: Ranges) -> ObjectInfo | None:
    """The piece of a range; none when it is one of the missing.

    Raises:
        SourceMissing: it is not there though nobody gave it up.
    """
    if (planned.start, planned.stop) in missing:
        return None
    key = keys.piece(planned.start, planned.stop)
    if key not in there:
        raise SourceMissing(f"there is no {key}")
    return there[key]


def _drawn(store: ObjectStore, job: VideoJob, plan: Plan, missing: Ranges) -> list[ResultObject]:
    """The annotated pictures of all ranges that are not ``missing``."""
    keys = JobKeys(job.job_id)
    there = [planned for planned in plan.ranges if (planned.start, planned.stop) not in missing]
    lists = answers(lambda each: Results.from_json(store.get(keys.drawn(each.start, each.stop))), there)
    return [result for each in lists for result in each.results]
