"""Infer: the frames of one range to one poses object."""

import queue
import threading
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from schema.messages import FrameRange, Options, Plan, VideoJob
from schema.names import JobKeys
from workers.core.letterbox import Letterbox
from workers.core.poses import FramePoses, RangePoses, to_picture
from workers.formats.poses import write_poses
from workers.media.frames import ModelScaler, decode_range
from workers.models.port import PoseModel
from workers.storage.port import ObjectStore
from workers.storage.ranged import RangedFile
from workers.storage.records import source_file

_AHEAD = 4
"""Model batches decoded ahead of the model."""

Batch = tuple[NDArray[np.int64], NDArray[np.uint8]]


def infer(
    *, store: ObjectStore, load_model: Callable[[VideoJob], PoseModel], job: VideoJob, plan: Plan, wanted: FrameRange
) -> str:
    """Find people in the frames of ``wanted`` and write them; the key of the poses object.

    Raises:
        VideoError, SourceChanged, SourceMissing, ModelError, StorageUnavailable
    """
    key = JobKeys(job.job_id).poses(wanted.start, wanted.stop)
    if store.head(key) is None:
        poses = infer_range(load_model(job), source_file(store, job), job.options, plan, wanted)
        store.put_new(key, write_poses(poses))
    return key


def infer_range(model: PoseModel, file: RangedFile, options: Options, plan: Plan, wanted: FrameRange) -> RangePoses:
    """People of the frames of ``wanted``; decoding runs ahead of the model in a thread of its own."""
    letterbox = Letterbox.fit(plan.stream.display_width, plan.stream.display_height, options.input_size)
    times: list[NDArray[np.int64]] = []
    found: list[FramePoses] = []
    for pts, frames in _ahead(_batches(file, plan, wanted, letterbox, model.batch)):
        times.append(pts)
        detections = model.detect(frames, options.max_people)
        found.extend(to_picture(of_frame, letterbox) for of_frame in detections)
    return _joined(times, found, wanted)


def _joined(times: list[NDArray[np.int64]], found: list[FramePoses], wanted: FrameRange) -> RangePoses:
    people = FramePoses(
        np.concatenate([np.zeros((0, 17, 3), np.float32), *(f.keypoints for f in found)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(f.boxes for f in found)]),
        np.concatenate([np.zeros(0, np.float32), *(f.scores for f in found)]),
    )
    counts = np.array([len(f.scores) for f in found], np.int32)
    pts = np.concatenate([np.zeros(0, np.int64), *times])
    return RangePoses(pts, counts, people, wanted.stop - wanted.start)


def _batches(file: RangedFile, plan: Plan, wanted: FrameRange, letterbox: Letterbox, size: int) -> Iterator[Batch]:
    """Full model batches, the last one perhaps shorter."""
    scaler = ModelScaler(plan.stream, letterbox)
    shape = (size, letterbox.padded_height, letterbox.padded_width, 3)
    times: list[int] = []
    frames = np.zeros(shape, np.uint8)
    for shown in decode_range(file, plan, wanted):
        scaler.write(shown.picture, frames[len(times)])
        times.append(shown.pts)
        if len(times) == size:
            yield np.array(times, np.int64), frames
            times, frames = [], np.zeros(shape, np.uint8)
    if times:
        yield np.array(times, np.int64), frames[: len(times)]


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Run ``batches`` in a thread, a few items ahead; its error is raised here."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def fill() -> None:
        try:
            for batch in batches:
                ready.put(batch)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=fill, name="decode-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while thread.is_alive():
            _drain(ready)
            thread.join(0.05)


def _drain(ready: "queue.Queue[Batch | BaseException | None]") -> None:
    while not ready.empty():
        ready.get_nowait()
