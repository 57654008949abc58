"""Whether a late frame of a long job costs what an early one did, step by step.

Infer and render: two jobs on one long video, and a worker that gets a batch of either in turn: of one from near its
beginning while nothing is done, of the other from near its end while all before is done.  Stitch: what a frame
more costs between a tenth and half of the job's length, and beyond.  The model takes no time, so that it hides nothing.
"""

import statistics
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from producer.job import Job
from schema.messages import JobReference, messages_of
from schema.names import TASK_OF, TASK_STITCH, JobKeys, ProgressKeys
from schema.options import Options
from schema.plan import FrameRange, Plan
from schema.queue import send
from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.benchmarks.scaling.monitor import Monitor
from tests.support.media import tiny
from workers.core.camera import SKETCH_VALUES
from workers.core.poses import FramePoses, RangePoses
from workers.formats.poses import write_poses

BATCH = 240
_EARLY = 4
_WARM_UP = 3
_PART = 100 * BATCH
"""Frames that are encoded; a longer video repeats them."""

Planned = tuple[Job, Plan]


def infer(fleet: ManyWorkers, frames: int, count: int) -> dict[str, float]:
    """Batches of infer around frame 1,000 and up to frame ``frames``."""
    uri = _video(fleet, frames)
    fleet.infer_workers(1, 0.0)
    return _in_turn(fleet, _planned(fleet, uri), _planned(fleet, uri), count, "infer")


def stitch_and_render(fleet: ManyWorkers, frames: int, count: int) -> dict[str, Any]:
    """Stitch of so many frames, of half of them and of a tenth; then batches of render, as of infer."""
    lengths = (frames // 10, frames // 2, frames)
    jobs = [_planned(fleet, _video(fleet, each)) for each in (lengths[0], *lengths, frames)]
    for job, plan in jobs:
        _write_poses(fleet, job, plan)
    _, *took, _ = (_stitched(fleet, job) for job, _ in jobs)
    known = [plan.stream.frames for _, plan in jobs[1:4]]
    pace = [1000 * (took[i + 1] - took[i]) / (known[i + 1] - known[i]) for i in range(2)]
    stitch = {"frames": known[2], "seconds": took[2], "early_ms": pace[0], "late_ms": pace[1]}
    stitch["ratio"] = pace[1] / pace[0]
    fleet.infer_workers(1, 0.0, queues="render")
    return {"stitch": stitch, "render": _in_turn(fleet, jobs[-2], jobs[-1], count, "render")}


def _in_turn(fleet: ManyWorkers, fresh: Planned, nearly_done: Planned, count: int, step: str) -> dict[str, float]:
    """Milliseconds of early batches of one job and late ones of another."""
    early, late = fresh[1].ranges[_EARLY : _EARLY + count], nearly_done[1].ranges[-count - 1 : -1]
    fleet.fleet.ledger.mark_done(nearly_done[0].job_id, step, nearly_done[1].units[: -count - 1])
    with Monitor(fleet.fleet.settings.redis_url) as monitor:
        for pair in zip(early, late, strict=True):
            for (job, _), planned in zip((fresh, nearly_done), pair, strict=True):
                _do(fleet, monitor, job, planned, step)
    fleet.end_infer_workers()
    took = monitor.between("START", "FINISH")
    pairs = [(took[_name(fresh[0], a)], took[_name(nearly_done[0], b)]) for a, b in zip(early, late, strict=True)][
        _WARM_UP:
    ]
    return {
        "early_frame": early[0].start,
        "late_frame": late[0].start,
        "pairs": len(pairs),
        "early_ms": 1000 * statistics.median(a for a, _ in pairs),
        "late_ms": 1000 * statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
    }


def _do(fleet: ManyWorkers, monitor: Monitor, job: Job, planned: FrameRange, step: str) -> None:
    """Have one batch done."""
    units = [_name(job, planned).partition("/")[2]]
    fleet.fleet.progress.announce(job.job_id, step, units)
    send(fleet.fleet.dispatch.app, TASK_OF[step], messages_of(job.job_id, units))
    while ("FINISH", _name(job, planned)) not in monitor.times:
        time.sleep(0.002)


def _name(job: Job, planned: FrameRange) -> str:
    return f"{job.job_id}/{planned.start:08d}-{planned.stop:08d}"


def _planned(fleet: ManyWorkers, uri: str) -> Planned:
    """A new job with a plan, whose messages are gone."""
    job = fleet.fleet.enqueue(uri, Options(render=True), batch_frames=BATCH, force=True)
    while not fleet.done(job, "split"):
        time.sleep(0.05)
    fleet.empty("infer")
    return job, Plan.from_json(fleet.fleet.store.get(JobKeys(job.job_id).plan))


def _stitched(fleet: ManyWorkers, job: Job) -> float:
    """Seconds that stitch took; what follows it is gone."""
    fleet.fleet.progress.announce(job.job_id, "stitch", ["all"])
    send(fleet.fleet.dispatch.app, TASK_STITCH, [JobReference(job_id=job.job_id)])
    while not fleet.done(job, "stitch"):
        time.sleep(0.05)
    begun, ended = fleet.redis.hmget(ProgressKeys(job.job_id).times, "stitch:start", "stitch:end")
    time.sleep(1)
    fleet.empty("render")
    return float(ended) - float(begun)


def _write_poses(fleet: ManyWorkers, job: Job, plan: Plan) -> None:
    """Two people in every frame, as infer would write them."""
    for planned in plan.ranges:
        frames = planned.stop - planned.start
        pts = planned.first_pts + _ticks(plan) * np.arange(frames)
        counts, looks = np.full(frames, 2, np.int32), np.zeros((frames, SKETCH_VALUES), np.uint8)
        body = write_poses(RangePoses(pts, counts, _people(frames), frames, sketches=looks))
        fleet.fleet.store.put_new(JobKeys(job.job_id).poses(planned.start, planned.stop), body)


def _ticks(plan: Plan) -> int:
    return int(1 / (Fraction(plan.stream.time_base) * 30))


def _people(frames: int) -> FramePoses:
    """Two people who sway, frame after frame."""
    sway = np.repeat(2 * np.sin(np.arange(frames) / 10), 2).astype(np.float32)
    x = np.tile(np.array([16, 48], np.float32), frames) + sway
    keypoints = np.full((2 * frames, 17, 3), 0.9, np.float32)
    keypoints[:, :, 0], keypoints[:, :, 1] = x[:, None], np.linspace(13, 51, 17, dtype=np.float32)
    boxes = np.stack([x - 6, np.full_like(x, 13), np.full_like(x, 12), np.full_like(x, 38)], 1)
    return FramePoses(keypoints, boxes, np.full(2 * frames, 0.9, np.float32))


def _video(fleet: ManyWorkers, frames: int) -> str:
    """A video of at least so many frames, whole parts; its URI."""
    key = f"uploads/long-{frames}.mp4"
    if fleet.fleet.store.head(key) is None:
        part = tiny(fleet.folder / "part.mp4", _PART, BATCH)
        fleet.fleet.store.put_new_file(
            key, _repeated(part, fleet.folder / "long.mp4", -(-frames // _PART)), "video/mp4"
        )
    return f"s3://{fleet.fleet.store.bucket}/{key}"


def _repeated(part: Path, target: Path, times: int) -> Path:
    """A video so many times over, without encoding."""
    with av.open(str(part)) as container, av.open(str(target), "w") as output:
        video = container.streams.video[0]
        copy: Any = output.add_stream_from_template(video)
        packets = [packet for packet in container.demux(video) if packet.size]
        length = sum(packet.duration or 0 for packet in packets)
        for packet in packets:
            packet.stream = copy
        for number in range(times):
            for packet in packets:
                shift = length if number else 0
                packet.pts, packet.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
                output.mux(packet)
    return target
