"""Split: the container's index to a plan, and a message per frame range."""

from hashlib import sha256

from producer.pictures import plan_pictures
from producer.planner import ahead, aim_for, cut_parts, target_frames
from schema.errors import TooLarge
from schema.failpoint import hit
from schema.manifest import Stitched
from schema.messages import VideoJob
from schema.names import HEADERS, JobKeys
from schema.plan import Plan
from schema.settings import current
from workers.media.jail.calls import JailedIndex, opened_index
from workers.storage.port import ObjectStore
from workers.storage.records import source_file

_MOST_AHEAD = 0.1
"""Share of a short video that may be decoded twice, so that several workers share it."""
_USUAL_PIXELS = 1920 * 1080
"""Above this, decoding and drawing are what a batch costs, and they cost by the pixel."""


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
        _check_drawing(job, plan)
        hit("split.before_plan", keys.plan)
        if store.put_new(keys.plan, plan.to_json(), "application/json"):
            return plan
        stored = store.get(keys.plan)
    return Plan.from_json(stored)


def make_plan(store: ObjectStore, job: VideoJob, aim: int) -> Plan:
    """Read the index of a job's video and cut its frames, or cut its list of pictures; store the windows' headers."""
    if job.again_of:
        return _repeated(store, job, job.again_of)
    if job.pictures:
        return plan_pictures(store, job)
    if job.tracks_of:
        return _adopted(store, job, job.tracks_of)
    with opened_index(source_file(store, job)) as index:
        work = max(job.options.work, _pixels(index) / _USUAL_PIXELS)
        ranges, headers = index.ranges(_cuts(index, job.batch_frames, aim_for(aim, work)))
    return Plan(
        job_id=job.job_id,
        stream=index.stream,
        ranges=tuple(ranges),
        sequential=index.sequential,
        warnings=index.warnings,
        headers=_put_headers(store, job.job_id, headers),
    )


def _put_headers(store: ObjectStore, job_id: str, headers: bytes) -> str:
    """Store the headers; under a name of their own if those of another cut are there, by who never wrote its plan."""
    keys = JobKeys(job_id)
    if not headers or store.put_new(keys.headers(HEADERS), headers) or store.get(keys.headers(HEADERS)) == headers:
        return HEADERS
    name = f"index-{sha256(headers).hexdigest()[:16]}.bin"
    store.put_new(keys.headers(name), headers)
    return name


def _check_drawing(job: VideoJob, plan: Plan) -> None:
    """Refuse an annotated video whose frames would be larger than those that are taken in; raises `TooLarge`."""
    if job.pictures or not job.options.render:
        return
    most, side_by_side = current().max_pixels, 2 if "side-by-side" in job.options.style else 1
    pixels = plan.stream.display_width * plan.stream.display_height * job.options.scale**2 * side_by_side
    if pixels > most:
        raise TooLarge(
            f"a frame of the annotated video would have {pixels / 1e6:.0f} million pixels, the limit is "
            f"{most / 1e6:.1f}: choose a smaller --scale"
        )


def _adopted(store: ObjectStore, job: VideoJob, parent: str) -> Plan:
    """The plan of the job whose tracks are drawn once more, and what is known of its tracks."""
    stitched = Stitched.from_json(store.get(JobKeys(parent).stitched()))
    mine = stitched.model_copy(update={"results": ()})
    store.put_new(JobKeys(job.job_id).stitched(), mine.to_json(), "application/json")
    return Plan.from_json(store.get(JobKeys(parent).plan)).model_copy(update={"job_id": job.job_id})


def _repeated(store: ObjectStore, job: VideoJob, parent: str) -> Plan:
    """The plan and the headers of the job whose dead batches are done again."""
    plan = Plan.from_json(store.get(JobKeys(parent).plan))
    if (headers := store.get_or_none(JobKeys(parent).headers(plan.headers))) is not None:
        store.put_new(JobKeys(job.job_id).headers(plan.headers), headers)
    return plan.model_copy(update={"job_id": job.job_id})


def _pixels(index: JailedIndex) -> int:
    return index.stream.coded_width * index.stream.coded_height


def _cuts(index: JailedIndex, asked: int | None, aim: int) -> list[tuple[int, int]]:
    parts, keys, frames = index.parts, index.keys, index.stream.frames
    if asked:
        return cut_parts(parts, keys, asked, exact=True)
    shared = cut_parts(parts, keys, target_frames(frames, aim), exact=False)
    if ahead(shared, keys) <= _MOST_AHEAD * frames:
        return shared
    return cut_parts(parts, keys, aim, exact=False)
