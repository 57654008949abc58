"""Infer: the frames of one range to one poses object."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from schema.failpoint import hit
from schema.messages import VideoJob
from schema.names import JobKeys
from schema.plan import FrameRange, Plan
from workers.core.camera import SKETCH_VALUES
from workers.core.letterbox import Letterbox
from workers.core.merge import together
from workers.core.poses import FramePoses, RangePoses
from workers.engine.engine import Engine
from workers.engine.picture import Picture
from workers.formats.poses import write_poses
from workers.media.jail.calls import opened_range, opened_views
from workers.media.pixels import Frames
from workers.storage import known
from workers.storage.port import ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import source_file
from workers.telemetry.measure import finished

Shown = tuple[int, bool, Picture]
"""A frame's time in ticks, whether it is damaged, its picture."""


def infer(
    *, store: ObjectStore, load_engine: Callable[[VideoJob], Engine], job: VideoJob, plan: Plan, wanted: FrameRange
) -> str:
    """Find people in the frames of ``wanted`` and write them; the key of the poses object.

    Raises:
        VideoError, SourceChanged, SourceMissing, ModelError, StorageUnavailable
    """
    key = JobKeys(job.job_id).poses(wanted.start, wanted.stop)
    if store.head(key) is None:
        hit("infer.start", key)
        header = known.header(store, job.plan_of, plan, wanted)
        poses = infer_range(load_engine(job), source_file(store, job), plan, wanted, header)
        hit("infer.before_put", key)
        store.put_new(key, write_poses(poses))
        hit("infer.after_put", key)
        finished(len(poses.pts))
    return key


def infer_range(engine: Engine, file: RangedFile, plan: Plan, wanted: FrameRange, header: bytes = b"") -> RangePoses:
    """People of the frames of ``wanted``; for ``header`` see `workers.media.frames.decode_range`."""
    times: list[int] = []
    damaged: list[bool] = []
    frames = Frames(plan.stream)

    def noted(shown: Iterator[Shown]) -> Iterator[Picture]:
        for pts, broken, picture in shown:
            times.append(pts)
            damaged.append(broken)
            yield picture

    boxes = engine.views(plan.stream.display_width, plan.stream.display_height)
    with _opened(file, plan, wanted, header, frames, boxes) as shown:
        found = list(engine.run(noted(shown)))
    sketches = [frames.sketches[index] for index in range(len(times))]
    return replace(
        joined(times, found, planned=wanted.stop - wanted.start),
        sketches=np.array(sketches, np.uint8).reshape(-1, SKETCH_VALUES),
        damaged=sum(damaged),
    )


def joined(times: list[int], found: list[FramePoses], planned: int) -> RangePoses:
    """The poses object of frames with the time stamps ``times``."""
    counts = np.array([len(f.scores) for f in found], np.int32)
    return RangePoses(np.array(times, np.int64), counts, together(found), planned)


@contextmanager
def _opened(
    file: RangedFile,
    plan: Plan,
    wanted: FrameRange,
    header: bytes,
    frames: Frames,
    boxes: list[Letterbox] | None,
) -> Iterator[Iterator[Shown]]:
    """The frames that decode; they are scaled where they decode if views of the whole are enough."""
    if boxes is None:
        with opened_range(file, plan, wanted, header) as decoded:
            yield ((each.pts, each.damaged, frames.picture(each.picture)) for each in decoded)
    else:
        with opened_views(file, plan, wanted, header, boxes) as viewed:
            yield ((each.pts, each.damaged, frames.viewed(each.views)) for each in viewed)
