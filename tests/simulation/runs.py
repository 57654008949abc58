"""Small runs of real processes: what is done, and how long it takes from the first job's message to the last end."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from producer.inputs import upload
from producer.job import Job
from schema.options import Options
from tests.chart.rendering import Document, render
from tests.simulation.real import PATIENCE_S, Servers, ready, servers
from tests.simulation.work import Video
from tests.support.autoscaler import Autoscaler, Scaling
from tests.support.media import tiny
from tests.support.pods import Pods
from tests.support.waiting import until

POOL, OTHERS = "infer-cpu", ("plan", "finish")
FASTER = 30
"""Minutes of an autoscaler are two seconds here."""
VALUES: Document = {
    "settings": {"task_soft_limit_s": 14, "task_limit_s": 15, "visibility_timeout_s": 18, "soft_shutdown_s": 0.5},
    "pools": {
        POOL: {"concurrency": 1, "maxReplicas": 3, "outstandingPerReplica": 8},
        "plan": {"concurrency": 1},
        "finish": {"concurrency": 1},
    },
}


@dataclass(frozen=True)
class Run:
    """What is done: videos of so many batches, and so many workers."""

    name: str
    workers: int
    """None of them at first, and at most so many, where an autoscaler decides."""
    batches: int
    videos: int = 1
    frames: int = 4
    """Of a batch."""
    cost_s: float = 0.1
    """Of a picture."""
    disturbed: str = ""
    """``stopped`` or ``killed``: one of the workers, half-way."""
    scaled: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    total_s: float
    steps: dict[str, float]
    """Seconds from the first start to the last end of the first job's steps, by queue."""
    start_s: float = 0.0
    """From asking for the first pod until it was ready."""
    most_pods: int = 0


CALIBRATION = Run("one worker", 1, 50)
VALIDATION = (
    Run("two workers", 2, 80),
    Run("three workers, batches twice as long", 3, 60, frames=8),
    Run("three workers, four videos", 3, 25, videos=4),
    Run("two workers, one stopped half-way", 2, 60, frames=10, disturbed="stopped"),
    Run("three workers, one killed half-way", 3, 120, disturbed="killed"),
    Run("none, up to three, none", 3, 120, scaled=True),
)


def make(run: Run) -> Outcome:
    """Do it with real processes."""
    with TemporaryDirectory() as name, ExitStack() as closing:
        folder = Path(name)
        os.environ["POSEFLEET_DATA_DIR"] = name
        there = closing.enter_context(servers(folder, VALUES))
        for pool in OTHERS:
            ready(closing.enter_context(there.pods(VALUES, pool)), 1)
        pods = closing.enter_context(there.pods(VALUES, POOL, run.cost_s))
        start_s = ready(pods, run.workers)
        _warm_up(there, pods, run)
        numbered = enumerate(videos(run))
        paths = [tiny(folder / f"{number}.mp4", video.frames, run.frames) for number, video in numbered]
        uris = [upload(there.fleet, path) for path in paths]
        began = time.time()
        jobs = [_enqueue(there, uri, run) for uri in uris]
        most = _follow(there, pods, run, jobs)
        return _outcome(there, jobs, began, start_s, most)


def _warm_up(there: Servers, pods: Pods, run: Run) -> None:
    """A job before, as first ones load libraries; where an autoscaler is to decide there are no pods after it."""
    path = tiny(there.folder / "first.mp4", 4 * run.workers * run.frames, run.frames)
    assert _enqueue(there, upload(there.fleet, path), run).wait(600, progress=False).state == "succeeded"
    if run.scaled:
        pods.scale(0)
        while pods.stopping:
            pods.tend()
            time.sleep(0.02)


def _enqueue(there: Servers, uri: str, run: Run) -> Job:
    return there.fleet.enqueue(uri, Options(render=False), batch_frames=run.frames)


def _follow(there: Servers, pods: Pods, run: Run, jobs: list[Job]) -> int:
    """Until all jobs have ended; most pods at a time."""

    def over() -> bool:
        return all(there.fleet.info(job.job_id).state.final for job in jobs)

    if run.scaled:
        return _scale(there, pods, over)
    if run.disturbed:
        until(lambda: _done(there, jobs) >= run.videos * run.batches // 2, PATIENCE_S, "not half-way")
        pod = pods.running[-1]
        if run.disturbed == "stopped":
            pods.stop(pod)
        else:
            pod.process.kill()
    while not over():
        pods.tend()
        time.sleep(0.02)
    return run.workers


def _done(there: Servers, jobs: list[Job]) -> int:
    return sum(len(there.fleet.progress.done(job.job_id, "infer")) for job in jobs)


def _scale(there: Servers, pods: Pods, over: Callable[[], bool]) -> int:
    """Let the chart's autoscaler decide until all is done and no pod is left."""
    most, scaler = 0, Autoscaler(scaling())
    next_s = time.monotonic()
    while not over() or pods.running or pods.stopping:
        pods.tend()
        most = max(most, sum(pod.ready for pod in pods.running))
        if time.monotonic() >= next_s:
            next_s += scaler.scaling.polling_s
            pods.scale(scaler.look(time.monotonic(), len(pods.running), there.fleet.progress.outstanding("infer")))
        time.sleep(0.02)
    return most


def scaling() -> Scaling:
    """What the chart says of the workers, minutes being seconds."""
    return Scaling.of(render(VALUES, over="keda").get("ScaledObject", POOL), FASTER)


def _outcome(there: Servers, jobs: list[Job], began: float, start_s: float, most: int) -> Outcome:
    assert all(job.wait(10, progress=False).state == "succeeded" for job in jobs)
    times = [there.fleet.progress.times(job.job_id) for job in jobs]
    steps = {step: last - first for step, (first, last) in times[0].items()}
    return Outcome(max(each["publish"][1] for each in times) - began, steps, start_s, most)


def videos(run: Run) -> list[Video]:
    """No two of them the same, as that would be one job."""
    lengths = (run.batches * run.frames + number for number in range(run.videos))
    return [Video(frames, render=False, batch_frames=run.frames) for frames in lengths]
