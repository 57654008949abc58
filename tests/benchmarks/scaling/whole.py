"""Whole jobs: a long video on many workers, and the real model on one worker and on two."""

import math
import time
from pathlib import Path

from producer.inputs import upload
from schema.manifest import Manifest
from schema.options import Options
from tests.benchmarks.clips import repeat
from tests.benchmarks.scaling.fleet import FRAMES, ManyWorkers
from tests.support.media import CLIP

_RATE = 30
_STEPS = "infer,render"


def long_video(fleet: ManyWorkers, minutes: int, workers: int, frame_s: float) -> dict[str, float]:
    """One video of ``minutes``, drawn as well, on workers whose model takes ``frame_s`` a frame."""
    fleet.infer_workers(workers, FRAMES * frame_s, _STEPS)
    uri = fleet.video(minutes * 60 * _RATE // FRAMES)
    began = time.monotonic()
    done = _done(fleet, uri, Options())
    wall_s = time.monotonic() - began
    assert done.frames == minutes * 60 * _RATE
    work_s = sum(step.busy_seconds for step in done.steps.values())
    split = done.steps.get("split")
    fleet.end_infer_workers()
    return {
        "workers": workers,
        "wall_s": wall_s,
        "work_s": work_s,
        "limit_s": 1.2 * work_s / workers + 30,
        "index_and_plan_s": split.busy_seconds if split else math.nan,
        **{f"{name}_s": step.seconds for name, step in done.steps.items()},
    }


def real_model(fleet: ManyWorkers, loops: int) -> dict[str, float]:
    """Frames a second of the infer step on one worker and on two, of one process and one thread each."""
    path = Path(fleet.folder) / "real.mp4"
    frames = repeat(CLIP, path, loops)
    uri, rates = upload(fleet.fleet, path), dict[int, float]()
    for count in (1, 2):
        fleet.infer_workers(count, 0.0)
        _done(fleet, upload(fleet.fleet, CLIP), Options(render=False))
        rates[count] = frames / _done(fleet, uri, Options(render=False)).steps["infer"].seconds
    fleet.end_infer_workers()
    return {"one": rates[1], "two": rates[2], "linear": rates[2] / (2 * rates[1])}


def _done(fleet: ManyWorkers, uri: str, options: Options) -> Manifest:
    status = fleet.fleet.enqueue(uri, options, force=True).wait(3600, progress=False)
    assert status.state == "succeeded", status
    assert status.manifest is not None
    return status.manifest
