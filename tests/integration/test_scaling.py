"""Workers that come and go with the work, as pods of the chart: nothing gets lost, and nothing is done twice."""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer.job import Job
from producer.stack.process import Child, Command, answers
from schema.messages import ModelIdentity
from schema.settings import current
from tests.chart.rendering import render
from tests.faults.ground import Ground
from tests.support.autoscaler import Autoscaler, Scaling
from tests.support.cluster import Cluster
from tests.support.fixed_cost import APPLICATION, COST, PEOPLE
from tests.support.media import tiny
from tests.support.outstanding import Sampler
from tests.support.pods import Pod, Pods, Template
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

POOL = "infer-cpu"
FRAMES = 4
"""Of a batch."""
FASTER = 100
"""Five minutes of an autoscaler are three seconds here."""
_SETTINGS = {"task_soft_limit_s": 30, "task_limit_s": 35, "visibility_timeout_s": 40}
DONE = re.compile(r"infer job=(\S+) unit=(\S+) [0-9.]+ s")


@pytest.fixture(scope="module")
def ground(model: ModelIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Servers, a sweeper, and a worker for every step but infer."""
    folder = tmp_path_factory.mktemp("cluster")
    with Ground(folder, tiny(folder / "tiny.mp4", frames=10 * FRAMES, key_every=FRAMES)) as ground:
        ground.failpoints("")
        limits = {f"POSEFLEET_{name.upper()}": str(value) for name, value in _SETTINGS.items()}
        ground.start("other", "sweeper", **limits)
        yield ground


@pytest.fixture
def exporter(ground: Ground) -> Iterator[str]:
    """Address of the metrics of the whole fleet."""
    port = ground._port()
    arguments = [sys.executable, "-m", "producer", "metrics", "--port", str(port)]
    child = Child(Command("metrics", arguments, _addresses(ground)), ground.folder)
    child.wait_until(lambda: answers(port), 60)
    yield f"http://127.0.0.1:{port}/metrics"
    child.kill()


@pytest.fixture
def pods_of(ground: Ground, tmp_path: Path) -> Iterator[Callable[..., tuple[Pods, Scaling]]]:
    """Makes the pods of a pool as the chart would for given values, and says how it would scale them."""
    made: list[Pods] = []

    def make(batch_s: float, pool: dict[str, object], soft_s: float | None = None) -> tuple[Pods, Scaling]:
        asked = {"concurrency": 1, "maxReplicas": 3, **pool}
        release = render({"settings": _SETTINGS, "pools": {POOL: asked}}, over="keda")
        template = Template.of(release, POOL)
        template = template if soft_s is None else template.sooner(soft_s)
        made.append(Pods(template, APPLICATION, _environment(ground, batch_s / FRAMES), tmp_path))
        return made[-1], Scaling.of(release.get("ScaledObject", POOL), FASTER)

    yield make
    for pods in made:
        pods.kill()


def _environment(ground: Ground, cost_s: float) -> dict[str, str]:
    """What a cluster's Secrets, volumes and services would be."""
    return {
        **_addresses(ground),
        COST: str(cost_s),
        "POSEFLEET_CACHE_DIR": str(current().cache_dir),
        "POSEFLEET_METRICS_PORT": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **ground.watched(),
    }


def _addresses(ground: Ground) -> dict[str, str]:
    settings = ground.fleet.settings
    names = ("redis_url", "s3_endpoint", "s3_access_key_id", "s3_secret_access_key")
    return {f"POSEFLEET_{name.upper()}": str(getattr(settings, name)) for name in names}


def test_workers_come_and_go_with_the_work(ground: Ground, exporter: str, pods_of, tmp_path: Path):
    stopping = {"warm_model": True, "soft_shutdown_s": 10}
    pods, scaling = pods_of(0.4, {"outstandingPerReplica": 20, "settings": stopping})
    cluster = Cluster(pods, Autoscaler(scaling), Sampler(exporter, ground.redis))
    cluster.run(lambda _: cluster.sampler.samples > 50, 60)
    assert pods.running == []
    uri = ground.upload(tiny(tmp_path / "half.mp4", 150 * FRAMES, FRAMES))
    jobs = [ground.job(FRAMES, uri=uri)]
    cluster.run(lambda outstanding: cluster.ready == 3 and outstanding["infer"] < 100, 300)
    jobs.append(ground.job(FRAMES, uri=uri))
    cluster.run(lambda _: not pods.running and not pods.stopping, 300)
    assert cluster.counts[0] == 0
    assert max(cluster.counts) == cluster.ready == 3
    assert cluster.counts[-1] == 0
    assert cluster.stopped_busy >= 1
    assert pods.killed == pods.fallen == []
    assert cluster.sampler.too_low == []
    assert cluster.sampler.busy > 100
    once_each(ground, pods, jobs, batches=300)


@pytest.mark.parametrize("frozen", [False, True], ids=["it stops in time", "it is frozen"])
def test_work_of_a_node_that_is_taken_away_is_done_elsewhere(ground: Ground, pods_of, tmp_path: Path, frozen: bool):
    """Batches of 9 s; 3 s after SIGTERM a worker hands on what it has, 13 s after it comes SIGKILL."""
    pods, _ = pods_of(9.0, {"spot": True}, soft_s=3)
    pods.scale(2)
    until(lambda: all(pod.ready for pod in pods.running), 200, "the pods are not ready")
    job = ground.job(FRAMES, uri=ground.upload(tiny(tmp_path / "two.mp4", 2 * FRAMES, FRAMES)))
    ground.under_way(job, runs=2)
    pod = pods.running[0]
    (taken,) = (note for note in ground.notes(job) if note.pid in pod.pids)
    if frozen:
        os.killpg(pod.process.pid, signal.SIGSTOP)
    take_away(pods, pod)
    assert pods.killed == ([pod.name] if frozen else [])
    manifest = job.wait(200).manifest
    assert manifest is not None
    assert manifest.state == "succeeded"
    assert job.tracks().num_rows == PEOPLE * 2 * FRAMES
    assert {note.unit for note in ground.notes(job)} == {note.unit for note in ground.notes(job, "infer.after_put")}
    assert ground.runs(job)[taken.unit] == 2
    assert ground.redone(job) == 1


def take_away(pods: Pods, pod: Pod) -> None:
    """Stop a pod and wait until it is gone."""
    pods.stop(pod)

    def gone() -> bool:
        pods.tend()
        return not pods.stopping

    until(gone, 60, "the pod did not stop")


def once_each(ground: Ground, pods: Pods, jobs: list[Job], batches: int) -> None:
    """All jobs have ended well, and each of their batches was begun once, done once, and delivered once."""
    for job in jobs:
        manifest = job.wait(60).manifest
        assert manifest is not None
        assert manifest.state == "succeeded"
        assert job.tracks().num_rows == PEOPLE * manifest.frames == PEOPLE * manifest.planned_frames
    for place in ("infer.start", "infer.after_put"):
        counts = [Counter(note.unit for note in ground.notes(job, place)) for job in jobs]
        assert sum(map(len, counts)) == batches
        assert {count for each in counts for count in each.values()} == {1}
    ids = {job.job_id for job in jobs}
    done = Counter(found.groups() for line in pods.logs() if (found := DONE.search(line)) and found[1] in ids)
    assert len(done) == batches
    assert set(done.values()) == {1}
