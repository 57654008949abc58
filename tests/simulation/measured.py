"""Runs of real processes, held against the model: ``make simulate-check``.

One run with one worker gives the model its costs, other runs are foretold with them and then made: with two and three
workers, with longer batches, with a worker that is stopped or killed half-way, and with an autoscaler that goes from no
pods to three and back.  Totals are from the message of the first job to the last manifest.

    python -m tests.simulation.measured [--json FILE]
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from producer.inputs import upload
from producer.job import Job
from schema.options import Options
from tests.chart.rendering import Document, render
from tests.simulation import policy
from tests.simulation.costs import Cost, Costs
from tests.simulation.fleet import Fleet
from tests.simulation.pod import Steps
from tests.simulation.policy import Policy
from tests.simulation.real import Servers, ready, servers, until
from tests.simulation.work import Video
from tests.support.autoscaler import Autoscaler, Scaling
from tests.support.media import tiny
from tests.support.pods import Pods

RECORDED = Path(__file__).with_name("measured.json")
POOL, OTHERS = "infer-cpu", ("plan", "finish")
WHOLE_STEPS = {"plan": "split", "stitch": "stitch", "publish": "publish"}
BAR = 0.15
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
        paths = [
            tiny(folder / f"{number}.mp4", run.batches * run.frames + number, run.frames)
            for number in range(run.videos)
        ]
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
    done = _done(there, jobs)
    over = lambda: all(there.fleet.info(job.job_id).state.final for job in jobs)  # noqa: E731
    if run.scaled:
        return _scale(there, pods, over)
    if run.disturbed:
        until(lambda: done() >= run.videos * run.batches // 2, "not half-way")
        pod = pods.running[-1]
        pods.stop(pod) if run.disturbed == "stopped" else pod.process.kill()
    while not over():
        pods.tend()
        time.sleep(0.02)
    return run.workers


def _done(there: Servers, jobs: list[Job]) -> Callable[[], int]:
    return lambda: sum(len(there.fleet.progress.done(job.job_id, "infer")) for job in jobs)


def _scale(there: Servers, pods: Pods, over: Callable[[], bool]) -> int:
    """Let the chart's autoscaler decide until all is done and no pod is left."""
    scaling, most = _scaling(), 0
    scaler, next_s = Autoscaler(scaling), time.monotonic()
    while not over() or pods.running or pods.stopping:
        pods.tend()
        most = max(most, sum(pod.ready for pod in pods.running))
        if time.monotonic() >= next_s:
            next_s += scaling.polling_s
            pods.scale(scaler.look(time.monotonic(), len(pods.running), there.fleet.progress.outstanding("infer")))
        time.sleep(0.02)
    return most


def _scaling() -> Scaling:
    return Scaling.of(render(VALUES, over="keda").get("ScaledObject", POOL), FASTER)


def _outcome(there: Servers, jobs: list[Job], began: float, start_s: float, most: int) -> Outcome:
    assert all(job.wait(10, progress=False).state == "succeeded" for job in jobs)
    times = [there.fleet.progress.times(job.job_id) for job in jobs]
    steps = {step: last - first for step, (first, last) in times[0].items()}
    return Outcome(max(each["publish"][1] for each in times) - began, steps, start_s, most)


# The model


def calibrated(run: Run, outcome: Outcome) -> Costs:
    """What one run says that steps cost, beside the model's own time; the rest of a job is split among its steps."""
    each_s = outcome.steps["infer"] / run.batches - run.frames * run.cost_s
    rest_s = outcome.total_s - sum(outcome.steps.values())
    whole = {queue: Cost(outcome.steps[step]) for queue, step in WHOLE_STEPS.items()}
    whole["plan"] = Cost(outcome.steps["split"] + rest_s)
    return Costs({**whole, "infer": Cost(each_s, run.cost_s), "render": Cost(0)}, {"": outcome.start_s})


def foretold(run: Run, costs: Costs, seed: int = 0) -> tuple[float, Fleet]:
    """Seconds that the model says a run takes, and its fleet."""
    infer = replace(costs.steps["infer"], frame_s=run.cost_s)
    fleet = Fleet(_policy(run), replace(costs, steps={**costs.steps, "infer": infer}), seed)
    fleet.submit(_videos(run), at_s=fleet.costs.start("") * (not run.scaled))
    if run.disturbed:
        fleet.env.process(_disturb(fleet, run))
    ended_s = fleet.run()
    return ended_s - fleet.jobs[0].accepted_s, fleet


def _videos(run: Run) -> list[Video]:
    """No two of them the same, as that would be one job."""
    lengths = (run.batches * run.frames + number for number in range(run.videos))
    return [Video(frames, render=False, batch_frames=run.frames) for frames in lengths]


def _policy(run: Run) -> Policy:
    """The chart's, with so many pods as the run has."""
    known = policy.read("keda", VALUES)
    pools = [replace(known.pool(name), pods=1, scaling=None) for name in OTHERS]
    scaling = _scaling() if run.scaled else None
    return replace(known, pools=(*pools, replace(known.pool(POOL), pods=run.workers, scaling=scaling)))


def _disturb(fleet: Fleet, run: Run) -> Steps:
    while fleet.tally.done["infer"] < run.videos * run.batches // 2:
        yield fleet.env.timeout(0.02)
    pod = fleet.pods[POOL].pop()
    pod.stop(pod.pool.soft_s, pod.pool.grace_s) if run.disturbed == "stopped" else pod.lose()


# Both


@dataclass(frozen=True)
class Comparison:
    """A run as measured and as foretold."""

    run: Run
    outcome: Outcome
    foretold_s: float

    @property
    def error(self) -> float:
        """Of the total, as a share of what was measured."""
        return self.foretold_s / self.outcome.total_s - 1


def compare(record: Mapping[str, Outcome]) -> list[Comparison]:
    """Every run but that which the model got its costs from."""
    costs = calibrated(CALIBRATION, record[CALIBRATION.name])
    return [Comparison(run, record[run.name], foretold(run, costs)[0]) for run in VALIDATION if run.name in record]


def recorded(path: Path = RECORDED) -> dict[str, Outcome]:
    """Outcomes that were kept."""
    return {name: Outcome(**each) for name, each in json.loads(path.read_text())["runs"].items()}


def keep(path: Path, part: str, found: Mapping[str, object]) -> None:
    """Write a part of what is recorded, beside the others."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**kept, part: {**kept.get(part, {}), **found}}, indent=1) + "\n")


def table(compared: list[Comparison]) -> str:
    """For people."""
    lines = ["| run | measured s | model s | error |", "|---|---|---|---|"]
    for each in compared:
        figures = f"{each.outcome.total_s:.1f} | {each.foretold_s:.1f} | {each.error:+.1%}"
        lines.append(f"| {each.run.name} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    """Make all runs and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="keep the outcomes here")
    parser.add_argument("--only", default="", help="runs with this in their name")
    asked = parser.parse_args()
    record: dict[str, Outcome] = {}
    for run in (CALIBRATION, *VALIDATION):
        if run is CALIBRATION or asked.only in run.name:
            record[run.name] = make(run)
            print(f"{run.name}: {record[run.name].total_s:.1f} s", flush=True)
            if asked.json:
                keep(asked.json, "runs", {name: asdict(outcome) for name, outcome in record.items()})
    compared = compare(record)
    print(table(compared))
    if any(abs(each.error) > BAR for each in compared):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
