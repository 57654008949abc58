"""Workers that die, freeze or are asked to leave."""

import os
import random
import signal
import time
from functools import partial

import pytest

from producer.job import Job
from producer.letters import retry
from schema.manifest import Manifest
from schema.names import JobKeys, ProgressKeys
from tests.faults.ground import SOFT_SHUTDOWN_S, USUAL, VISIBILITY_S, Ground, Note
from tests.faults.oracle import check
from tests.faults.rows import Record, Stopwatch, row
from tests.support.waiting import until

pytestmark = pytest.mark.stack
WAIT_S = 120


def again(ground: Ground, job: Job, first: Note, patience_s: float = 60) -> Note:
    """Wait until somebody else begins the same batch."""

    def found() -> list[Note]:
        others = (note for note in ground.notes(job, since=first.time) if note.unit == first.unit)
        return [note for note in others if note.pid != first.pid]

    until(found, patience_s, f"{first.unit} was not begun again")
    return found()[0]


@row(1, "worker process tree SIGKILL mid-batch", ci=True)
def test_a_killed_worker(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.5")
    job = ground.job()
    running = ground.under_way(job)
    name, killed = ground.who(running.pid), time.time()
    ground.end(name)
    record.seconds("begun elsewhere after", again(ground, job, running).time - killed, VISIBILITY_S + 6)
    assert job.wait(WAIT_S).state == "succeeded"
    record.at_most("redone", ground.redone(job), 1)
    check(ground, [job], undisturbed)
    record.verdict()


@row(2, "pool child SIGKILL", ci=True)
def test_a_killed_pool_process(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.5")
    job = ground.job()
    running = ground.under_way(job)
    name, killed = ground.who(running.pid), time.time()
    os.kill(running.pid, signal.SIGKILL)
    record.seconds("begun again after", again(ground, job, running).time - killed, 6)
    counted = ground.redis.hget(ProgressKeys(job.job_id).attempts, f"infer:{running.unit}")
    record.exactly("starts counted", int(counted), 2)
    assert job.wait(WAIT_S).state == "succeeded"
    assert ground.worker(name).running
    check(ground, [job], undisturbed)
    record.verdict()


@row(3, "poison batch", ci=True)
def test_a_poison_batch(ground: Ground, undisturbed, record: Record):
    job = ground.job()
    ground.failpoints("infer.start=abort@00000040-00000050")
    manifest = job.wait(WAIT_S).manifest
    assert isinstance(manifest, Manifest)
    record.at_most("runs", ground.runs(job)["00000040-00000050"], 4)
    assert manifest.dead_ranges == ((40, 50),)
    assert ground.fleet.store.head(JobKeys(job.job_id).dead("infer", 40, 50)) is not None
    record.at_most("runs of others beyond the first", ground.redone(job) - ground.runs(job)["00000040-00000050"] + 1, 0)
    check(ground, [job], None, state="partial")
    ground.calm()
    assert "00000040-00000050" in ground.command("dead", "list", job.job_id).replace("40..50", "00000040-00000050")
    again, batches = retry(ground.fleet, job.job_id)
    assert again.wait(WAIT_S).state == "succeeded"
    record.exactly("batches done again", batches, 1)
    record.exactly("runs for them", sum(ground.runs(again).values()), 1)
    check(ground, [again], undisturbed)
    record.verdict()


@row(3, "poison batch that hangs", ci=True)
def test_a_batch_that_hangs(ground: Ground, record: Record):
    limits = {"POSEFLEET_TASK_SOFT_LIMIT_S": "5", "POSEFLEET_TASK_LIMIT_S": "6", "POSEFLEET_MAX_ATTEMPTS": "2"}
    for name in USUAL[:3]:
        ground.end(name)
    ground.start(*USUAL[:3], **limits)
    ground.failpoints("infer.start=freeze@00000040-00000050")
    job = ground.job()
    assert job.wait(WAIT_S).state == "partial"
    record.exactly("runs", ground.runs(job)["00000040-00000050"], 2)
    letter = ground.fleet.store.get(JobKeys(job.job_id).dead("infer", 40, 50))
    assert "its process was killed after 6 s" in letter.decode()
    check(ground, [job], None, state="partial")
    record.verdict()


@row(3, "poison batch: throughput of the others", patience_s=600)
def test_what_a_poison_batch_costs_the_others(ground: Ground, record: Record, looped: str):
    ground.failpoints("infer.before_put=sleep:0.5")
    calm = ground.job(batch_frames=1, uri=looped)
    assert calm.wait(300).state == "succeeded"
    job = ground.job(batch_frames=1, uri=looped)
    ground.failpoints("infer.start=abort@00000040-00000041;infer.before_put=sleep:0.5")
    assert job.wait(300).state == "partial"
    undisturbed, disturbed = per_second(ground, calm), per_second(ground, job)
    record.about(f"{undisturbed:.2f} batches/s undisturbed, {disturbed:.2f} beside it")
    record.at_least("throughput of the others, %", 100 * disturbed / undisturbed, 90)
    check(ground, [job], None, state="partial")
    record.verdict()


def per_second(ground: Ground, job: Job) -> float:
    """Batches of a job that were done per second, from its first to its last."""
    done = [note.time for note in ground.notes(job, "infer.after_put")]
    return (len(done) - 1) / (max(done) - min(done))


@row(4, "kill storm: a random one of 3 workers every 1–4 s for 60 s", patience_s=900)
def test_a_kill_storm(ground: Ground, seed: int, record: Record, looped: str):
    """Whoever is killed between taking a message and noting it takes it along: only the sweeper brings it back."""
    names = ("infer-1", "infer-2", "infer-3")
    ground.usual(*names, "other", "sweeper")
    ground.failpoints("infer.before_put=sleep:0.5")
    calm = ground.job(batch_frames=1, uri=looped)
    watch = Stopwatch()
    assert calm.wait(400).state == "succeeded"
    undisturbed_s = watch.seconds
    job = ground.job(batch_frames=1, uri=looped)
    watch, dice = Stopwatch(), random.Random(seed)
    ground.under_way(job)
    storm_over = watch.seconds + 60
    kills = 0
    while watch.seconds < storm_over and not job.status().state.final:
        name = dice.choice(names)
        ground.end(name)
        ground.launch(name)
        kills += 1
        time.sleep(dice.uniform(1, 4))
    assert job.wait(400).state == "succeeded"
    record.about(f"{kills} kills")
    record.at_most("redone of 240", ground.redone(job), 24)
    record.seconds("took", watch.seconds, 2 * undisturbed_s)
    record.about(f"undisturbed {undisturbed_s:.0f} s")
    ground.usual(*names, "other", "sweeper")
    check(ground, [job], calm.tracks())
    record.verdict()


@row(5, "all workers killed, started 30 s later")
def test_no_worker_for_a_while(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.5")
    job = ground.job()
    ground.under_way(job)
    for name in USUAL:
        ground.end(name)
    time.sleep(30)
    watch = Stopwatch()
    ground.start(*USUAL)
    until(lambda: ground.notes(job, since=watch.wall), 60, "nothing was resumed")
    record.seconds("resumed after", ground.notes(job, since=watch.wall)[0].time - watch.wall, 10)
    assert job.wait(WAIT_S).state == "succeeded"
    record.at_most("redone", ground.redone(job), 2)
    check(ground, [job], undisturbed)
    record.verdict()


@row(6, "SIGTERM during a batch longer than the window", ci=True)
def test_a_worker_is_asked_to_leave_in_a_long_batch(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:8@00000000*1")
    job = ground.job()
    running = ground.begun(job, 0)
    exit_s, asked = leave(ground, running)
    record.seconds("left after", exit_s, SOFT_SHUTDOWN_S + 3)
    record.seconds("running elsewhere after", again(ground, job, running).time - asked, SOFT_SHUTDOWN_S + 3)
    assert job.wait(WAIT_S).state == "succeeded"
    check(ground, [job], undisturbed)
    record.verdict()


@row(7, "SIGTERM when the batch fits the window")
def test_a_worker_is_asked_to_leave_in_a_short_batch(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:1.5@00000000*1")
    job = ground.job()
    running = ground.begun(job, 0)
    exit_s, _ = leave(ground, running)
    record.seconds("left after", exit_s, SOFT_SHUTDOWN_S + 3)
    assert job.wait(WAIT_S).state == "succeeded"
    record.exactly("redone", ground.redone(job), 0)
    check(ground, [job], undisturbed)
    record.verdict()


def leave(ground: Ground, running: Note) -> tuple[float, float]:
    """SIGTERM to the worker of a note; how long it took to end, and when it was asked."""
    until(lambda: ground.who(running.pid), 5, "nobody runs it")
    name, asked = ground.who(running.pid), time.time()
    child = ground.worker(name)
    child.ask_to_stop()
    took = until(lambda: not child.running, 30, f"{name} did not leave")
    ground.end(name)
    return took, asked


@row(13, "worker frozen past the visibility timeout, then resumed", ci=True)
def test_a_frozen_worker(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=stop@00000000*1")
    job = ground.job()
    first = ground.begun(job, 0)
    other = again(ground, job, first)
    record.about(f"begun elsewhere after {other.time - first.time:.1f} s")
    assert job.wait(WAIT_S).state == "succeeded"
    name = ground.who(first.pid)
    os.killpg(ground.worker(name).pid, signal.SIGCONT)
    until(lambda: ground.outstanding() == 0, 60, "it slept on")
    key = JobKeys(job.job_id).poses(*map(int, first.unit.split("-")))
    written = [each.status for each in ground.s3_proxy.exchanges() if each.method == "PUT" and key in each.target]
    record.exactly("runs", ground.runs(job)[first.unit], 2)
    record.exactly("publications", written.count(200), 1)
    record.about(f"{written.count(412)} refused as second")
    check(ground, [job], undisturbed)
    record.verdict()


@row(28, "scale to zero with a backlog")
def test_nobody_works_for_a_while(ground: Ground, undisturbed, record: Record):
    ground.failpoints("infer.before_put=sleep:0.3")
    job = ground.job()
    ground.under_way(job, runs=2)
    for name in USUAL:
        ground.worker(name).ask_to_stop()
    for name in USUAL:
        until(partial(ground.gone, name), 30, "it did not leave")
        ground.end(name)
    record.at_least("outstanding without workers", ground.outstanding(), 1)
    ground.launch(*USUAL)
    least = ground.outstanding()
    while not job.status().state.final:
        seen = ground.outstanding()
        least = min(least, seen) if not ground.notes(job, "publish.before_manifest") else least
        time.sleep(0.02)
    record.at_least("outstanding until published", least, 1)
    check(ground, [job], undisturbed)
    record.verdict()
