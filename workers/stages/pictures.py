"""The same steps for a list of pictures: infer, collect instead of stitch, draw instead of render."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from schema.errors import NoFrames, PictureError, SourceChanged, SourceMissing
from schema.failpoint import hit
from schema.manifest import ResultObject, Results, Stitched
from schema.messages import VideoJob
from schema.names import COCO, JobKeys, safe_name
from schema.pictures import BrokenPicture, PictureEntry, PictureList
from schema.plan import FrameRange, Plan
from workers.core.poses import FramePoses, RangePoses
from workers.engine.engine import Engine
from workers.formats.coco import CocoWriter
from workers.formats.poses import read_poses, write_poses
from workers.media.history import DrawnPerson
from workers.media.jail.calls import limits, read_still
from workers.media.pixels import Still
from workers.media.stills import draw_still, kind_of_name
from workers.stages.dead import body_of, dead_ranges
from workers.stages.infer import joined
from workers.stages.results import write_result
from workers.storage.port import ObjectInfo, ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import read_pictures
from workers.telemetry.measure import finished

Broken = list[tuple[int, str]]

_MOST_BYTES = 256 << 20
"""Of a picture's file, which is read as a whole."""


def infer(*, store: ObjectStore, load_engine: Callable[[VideoJob], Engine], job: VideoJob, wanted: FrameRange) -> str:
    """Find people in the pictures of ``wanted`` and write them; the key of the poses object.

    Raises:
        SourceChanged, SourceMissing, ModelError, StorageUnavailable
    """
    key = JobKeys(job.job_id).poses(wanted.start, wanted.stop)
    if store.head(key) is None:
        hit("infer.start", key)
        listed = read_pictures(store, job)
        poses = infer_pictures(load_engine(job), partial(_body, store, listed), wanted)
        hit("infer.before_put", key)
        store.put_new(key, write_poses(poses))
        hit("infer.after_put", key)
        finished(len(poses.pts))
    return key


def infer_pictures(engine: Engine, body: Callable[[int], bytes], wanted: FrameRange) -> RangePoses:
    """People of the pictures ``wanted``; those that cannot be read are listed.

    Args:
        engine: pictures to people.
        body: the bytes of the picture at an index.
        wanted: range of indexes.
    """
    broken: Broken = []
    indexes: list[int] = []
    sizes: list[tuple[int, int]] = []
    found = list(engine.run(_stills(body, wanted, broken, indexes, sizes)))
    poses = joined(indexes, found, planned=wanted.stop - wanted.start)
    shapes = np.array(sizes, np.int32).reshape(-1, 2)
    return RangePoses(poses.pts, poses.counts, poses.people, poses.planned, shapes, tuple(broken))


@dataclass
class _Tally:
    """What collecting finds out on its way."""

    frames: int = 0
    most: int = 0
    broken: list[BrokenPicture] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)


def collect(*, store: ObjectStore, job: VideoJob, plan: Plan, work: Path) -> Stitched:
    """Write the keypoints of all pictures as COCO results, then what they hold.

    Raises:
        NoFrames: no picture could be read.
    """
    keys = JobKeys(job.job_id)
    if (done := store.get_or_none(keys.stitched())) is not None:
        return Stitched.from_json(done)
    listed = read_pictures(store, job)
    path = work / COCO
    with CocoWriter(path, images=listed.coco_ids is None) as writer:
        tally = _write(store, job, plan, listed, writer)
    if tally.frames == 0:
        why = f": {tally.broken[0].reason}" if tally.broken else ""
        raise NoFrames(f"none of the {len(listed.pictures)} pictures could be read{why}")
    stitched = Stitched(
        frames=tally.frames,
        tracks=0,
        max_people=tally.most,
        first_indexes=tuple(planned.start for planned in plan.ranges),
        dead_ranges=tuple(tally.dead),
        broken=tuple(tally.broken),
        results=(write_result(store, keys, COCO, path, "application/json"),),
    )
    store.put_new(keys.stitched(), stitched.to_json(), "application/json")
    finished(tally.frames)
    return stitched


def _write(store: ObjectStore, job: VideoJob, plan: Plan, listed: PictureList, writer: CocoWriter) -> _Tally:
    """Write the people of all ranges in order."""
    tally, keys, ids = _Tally(), JobKeys(job.job_id), listed.image_ids
    dead = dead_ranges(store, job.job_id, "infer")
    for planned in plan.ranges:
        body = body_of(store, keys.poses(planned.start, planned.stop), planned, dead)
        if body is None:
            tally.dead.append((planned.start, planned.stop))
            continue
        poses = read_poses(body)
        tally.broken += [BrokenPicture(name=listed.pictures[i].name, reason=why) for i, why in poses.broken]
        for index, size, people in _of_range(poses):
            writer.add(ids[index], listed.pictures[index].name, size, people)
            tally.most = max(tally.most, int((people.scores >= job.options.min_score).sum()))
            tally.frames += 1
    return tally


def draw(*, store: ObjectStore, job: VideoJob, wanted: FrameRange, work: Path) -> str:
    """Write the annotated pictures of ``wanted``, then the list of them; its key."""
    keys = JobKeys(job.job_id)
    key = keys.drawn(wanted.start, wanted.stop)
    if store.head(key) is None:
        listed = read_pictures(store, job)
        body = body_of(store, keys.poses(wanted.start, wanted.stop), wanted, dead_ranges(store, job.job_id, "infer"))
        poses = [] if body is None else list(_of_range(read_poses(body)))
        drawn = [
            _annotated(store, keys, listed.pictures[index], people, _body(store, listed, index), job, work)
            for index, _, people in poses
        ]
        store.put_new(key, Results(results=tuple(drawn)).to_json(), "application/json")
        finished(len(drawn))
    return key


def _annotated(
    store: ObjectStore, keys: JobKeys, entry: PictureEntry, people: FramePoses, body: bytes, job: VideoJob, work: Path
) -> ResultObject:
    suffix, content_type = kind_of_name(entry.name)
    path = work / f"annotated{suffix}"
    seen = people.pick(people.scores >= job.options.min_score)
    persons = [DrawnPerson(None, points, box) for points, box in zip(seen.keypoints, seen.boxes, strict=True)]
    draw_still(read_still(body), persons, job.options, path, limits())
    name = f"annotated/{safe_name(entry.name)}" + ("" if entry.name.lower().endswith(suffix) else suffix)
    return write_result(store, keys, name, path, content_type)


def _of_range(poses: RangePoses) -> Iterator[tuple[int, tuple[int, int], FramePoses]]:
    """Index, width and height, and people of each picture that could be read."""
    for index, (width, height), people in zip(poses.pts, poses.sizes, poses.frames(), strict=True):
        yield int(index), (int(width), int(height)), people


def _stills(
    body: Callable[[int], bytes], wanted: FrameRange, broken: Broken, indexes: list[int], sizes: list[tuple[int, int]]
) -> Iterator[Still]:
    for index in range(wanted.start, wanted.stop):
        try:
            still = read_still(body(index))
        except (PictureError, SourceMissing, SourceChanged) as error:
            broken.append((index, str(error)))
            continue
        indexes.append(index)
        sizes.append((still.width, still.height))
        yield still


def _body(store: ObjectStore, listed: PictureList, index: int) -> bytes:
    entry = listed.pictures[index]
    if entry.size > _MOST_BYTES:
        raise PictureError(
            f"too large: the file has {entry.size / 1e6:.0f} MB, a picture {_MOST_BYTES / 1e6:.0f} at most"
        )
    return RangedFile(store, ObjectInfo(listed.bucket, entry.key, entry.etag, entry.size)).read()
