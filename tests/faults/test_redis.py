"""Redis that dies, is wiped, hangs, is full, or is hard to reach."""

import os
import time
from pathlib import Path

import pytest

from producer.job import Job
from producer.sweep import Sweeper
from schema.errors import BrokerUnavailable
from schema.names import JobKeys
from schema.queue import make_app
from tests.faults.ground import USUAL, Ground, Note
from tests.faults.oracle import check
from tests.faults.rows import ALL, Record, Stopwatch, row
from tests.support.proxy import Faults
from tests.support.waiting import until
from workers.ready import BEAT_S, HEARTBEAT

pytestmark = pytest.mark.stack
WAIT_S = 120


def begun(ground: Ground, since: float, patience_s: float = 60) -> float:
    """Seconds from ``since`` until a batch was begun."""
    until(lambda: ground.notes(since=since), patience_s, "nothing was begun")
    return ground.notes(since=since)[0].time - since


def wait_for(jobs: list[Job], wait_s: float = WAIT_S) -> None:
    assert [job.wait(wait_s).state for job in jobs] == ["succeeded"] * len(jobs)


@row(8, "Redis kill -9 and restart with AOF everysec", ci=True)
def test_redis_is_killed(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.3")
    jobs = [ground.job() for _ in range(3)]
    ground.under_way(jobs[0], runs=4)
    beats = ground.stack._ready_folder("infer-1") / HEARTBEAT
    ground.server.kill()
    killed = time.time()
    until(lambda: beats.stat().st_mtime > killed + 1, 3 * BEAT_S, "the heart stood still without Redis")
    ground.server.start()
    record.seconds("consuming after", begun(ground, time.time()), 10)
    until(lambda: beats.stat().st_mtime > time.time() - 1, 3 * BEAT_S, "the heart stood still after Redis came back")
    wait_for(jobs)
    record.exactly("jobs lost", sum(job.status().state != "succeeded" for job in jobs), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


@row(9, "Redis wiped mid-job", ci=True)
def test_redis_is_wiped(ground: Ground, undisturbed, record: Record):
    ground.usual("infer-1", "infer-2", "other")
    ground.failpoints("infer.before_put=sleep:0.1")
    jobs = [ground.job(batch_frames=30) for _ in range(20 if ALL else 4)]
    ground.under_way(jobs[0], runs=3)
    until(lambda: len(ground.notes(place="infer.after_put")) >= 8, 60, "nothing was finished")
    ground.redis.flushall()
    finished = {key for job in jobs for key in poses(ground, job)}
    wiped, sweeps, sweeper = time.time(), 0, Sweeper(ground.fleet)
    while sweeps < 6 and not all(job.status().state.final for job in jobs):
        sweeper.sweep()
        sweeps += 1
        patience = time.monotonic() + 60
        while time.monotonic() < patience and not idle(ground, jobs):
            time.sleep(0.2)
    wait_for(jobs)
    redone = [note.about for note in ground.notes(since=wiped + 0.5) if note.about in finished]
    record.at_most("sweeps", sweeps, 2)
    record.exactly("finished batches redone", len(redone), 0)
    check(ground, jobs, undisturbed)
    record.verdict()


def poses(ground: Ground, job: Job) -> list[str]:
    return [info.key for info in ground.fleet.store.objects(f"{JobKeys(job.job_id).prefix}poses/")]


def idle(ground: Ground, jobs: list[Job]) -> bool:
    """Whether all jobs have ended, or there is nothing left that anybody could do."""
    return all(job.status().state.final for job in jobs) or ground.outstanding() == 0


@row(10, "Redis hangs 40 s", ci=True)
def test_redis_hangs(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.5")
    job = ground.job()
    running = ground.under_way(job)
    ground.server.pause()
    ground.end(ground.who(running.pid))
    time.sleep(40)
    ground.server.go_on()
    went_on = time.time()
    until(lambda: job.status().state.final or ground.runs(job)[running.unit] > 1, 60, "not delivered again")
    record.seconds("caught up after", time.time() - went_on, 20)
    wait_for([job])
    check(ground, [job], undisturbed)
    record.verdict()


@row(11, "half-open TCP")
@pytest.mark.parametrize("at", ["rest", "the end of a task"])
def test_connections_are_half_open(ground: Ground, undisturbed, record: Record, at: str):
    """What is sent while the server still believes in a dead worker's last BRPOP is gone until the next sweep.

    A worker at work does not ask for messages, and finds out by each of its connections in turn.
    """
    if at != "rest":
        ground.failpoints("publish.after_manifest=sleep:1*1")
    ground.job().wait(WAIT_S)
    if at == "rest":
        time.sleep(1)
    ground.redis_proxy.half_open_all()
    watch = Stopwatch()
    swallowed = ground.job()
    time.sleep(2)
    later = ground.job()
    log = ground.worker("other").log
    taken = [f"[split-{job.job_id}-all] received" for job in (swallowed, later)]
    until(lambda: any(each in log.read_text() for each in taken), 90, "nothing was taken from the queue")
    record.seconds("consuming again after", watch.seconds, 11)
    until(lambda: ground.notes(later), 90, "nothing was begun")
    record.about(f"its first batch was begun after {ground.notes(later)[0].time - watch.wall:.0f} s")
    wait_for([swallowed, later])
    record.about(f"what was sent at once was begun after {ground.notes(swallowed)[0].time - watch.wall:.0f} s")
    check(ground, [swallowed, later], undisturbed)
    record.verdict()


_PATIENT = {
    "POSEFLEET_TASK_SOFT_LIMIT_S": "60",
    "POSEFLEET_TASK_LIMIT_S": "65",
    "POSEFLEET_VISIBILITY_TIMEOUT_S": "70",
}
"""Half of what users have: a request and its answer take 0.5 s here, and other rows have very short limits."""


@row(12, "resets, latency 200 ms and jitter, sliced packets", patience_s=600)
def test_a_bad_network(ground: Ground, undisturbed, record: Record):
    for name in USUAL:
        ground.end(name)
    ground.start(*USUAL, **_PATIENT)
    watch = Stopwatch()
    ground.redis_proxy.faults = Faults(latency_s=0.2, jitter_s=0.1, slice_bytes=100, reset_share=0.001)
    ground.s3_proxy.faults = Faults(latency_s=0.2, jitter_s=0.1, slice_bytes=1400, reset_share=0.002)
    jobs = [ground.job(batch_frames=20) for _ in range(3)]
    for _ in range(4):
        time.sleep(2)
        ground.redis_proxy.reset_all()
        ground.s3_proxy.reset_all()
    wait_for(jobs, 400)
    record.about(f"took {watch.seconds:.0f} s")
    ground.calm()
    check(ground, jobs, undisturbed)
    record.exactly("jobs done", sum(job.status().state == "succeeded" for job in jobs), 3)
    for name in USUAL:
        ground.end(name)
    record.verdict()


@row(15, "Redis full")
def test_redis_is_full(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.5")
    job = ground.job()
    ground.under_way(job)
    ground.redis.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(BrokerUnavailable) as said:
            ground.job()
        time.sleep(8)  # longer than a task waits: messages go back, which a full Redis does not take
    finally:
        ground.redis.config_set("maxmemory", "0")
    relieved = time.time()
    record.about(f"said: {said.value}")
    later = ground.job()
    if not job.status().state.final:
        record.seconds("resumed after", begun(ground, relieved), 10)
    wait_for([job, later])
    check(ground, [job, later], undisturbed)
    record.verdict()


#: Configuration of Celery that differs in one worker.
_CONFIGURED = """
import schema.queue
usual = schema.queue.make_app
def make_app(settings):
    app = usual(settings)
    app.conf.update({changed})
    return app
schema.queue.make_app = make_app
"""


def configured(ground: Ground, folder: Path, *names: str, **changed: object) -> None:
    """Exactly one worker of infer, and of each of ``names``, whose Celery is configured like this."""
    (folder / "sitecustomize.py").write_text(_CONFIGURED.format(changed=changed))
    path = f"{folder}{os.pathsep}{Path(__file__).parents[2]}"
    ground.usual(*(name for name in USUAL if not name.startswith("infer") and name not in names))
    ground.start("infer-other", *names, PYTHONPATH=path)


@row(30, "results expire during a run")
def test_nothing_depends_on_results_of_tasks(ground: Ground, undisturbed, record: Record, tmp_path: Path):
    configured(ground, tmp_path, "other", result_expires=5)
    ground.failpoints("infer.before_put=sleep:1")
    watch, job = Stopwatch(), ground.job()
    wait_for([job])
    record.at_least("seconds, with results that expire after 5", watch.seconds, 10)
    record.exactly("results of tasks in Redis", len(list(ground.redis.scan_iter("*celery-task-meta*"))), 0)
    check(ground, [job], undisturbed)
    record.verdict()


def outage(ground: Ground) -> tuple[Job, Note]:
    """A job whose running batches take 3 s, of which Redis is away for one; one of these batches."""
    ground.failpoints("infer.before_put=sleep:3*2")
    job = ground.job()
    running = ground.under_way(job, runs=1)
    ground.server.kill()
    time.sleep(1)
    ground.server.start()
    return job, running


def put_by(ground: Ground, job: Job, running: Note) -> list[Note]:
    """What the process of ``running`` has finished."""
    return [note for note in ground.notes(job, "infer.after_put") if note.pid == running.pid]


@row(31, "cancel on connection loss stays off", ci=True)
def test_running_tasks_are_not_cancelled_when_redis_is_gone(ground: Ground, undisturbed, record: Record):
    conf = make_app(ground.fleet.settings).conf
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    job, running = outage(ground)
    until(lambda: put_by(ground, job, running), 30, "it was cancelled")
    wait_for([job])
    record.exactly("runs cancelled", ground.runs(job)[running.unit] - 1, 0)
    check(ground, [job], undisturbed)
    record.verdict()


@row(31, "cancel on connection loss switched on")
def test_running_tasks_are_cancelled_where_upstream_does_so(ground: Ground, record: Record, tmp_path: Path):
    configured(ground, tmp_path, worker_cancel_long_running_tasks_on_connection_loss=True)
    job, running = outage(ground)
    until(lambda: ground.runs(job)[running.unit] > 1 or job.status().state.final, 60, "it was not begun again")
    record.at_least("runs cancelled: the setting matters", ground.runs(job)[running.unit] - 1, 1)
    wait_for([job])
    record.verdict()
