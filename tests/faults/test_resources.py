"""Workers that run out of something, clocks that are wrong, and many faults for a long time."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
from scipy.stats import theilslopes

from schema.names import QUEUE_PLAN, QUEUE_PUBLISH, QUEUE_RENDER, QUEUE_STITCH
from tests.faults.ground import Ground
from tests.faults.oracle import check, folders
from tests.faults.rows import Record, Stopwatch, row
from tests.support.s3_proxy import S3Faults
from tests.support.waiting import until
from workers.ready import CONSUMING
from workers.requests import MOST, UNSOUND

pytestmark = pytest.mark.stack
WAIT_S = 150
SOAK_S = float(os.environ.get("POSEFLEET_FAULTS_SOAK_S", "180"))
_FEW = 4
_LONG_S = 1800
"""From so long a soak on, what memory does is no accident."""
_FAULT_S = 60.0 if SOAK_S >= _LONG_S else 20.0
_REDUCING = ",".join((QUEUE_STITCH, QUEUE_RENDER, QUEUE_PUBLISH))

#: A clock that is wrong for a whole process and all that it imports; libfaketime breaks Python's sleep.
_WRONG_CLOCK = """
import datetime, time
right, off_s = time.time, float({off_s})
time.time = lambda: right() + off_s
class Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=off_s)
    @classmethod
    def utcnow(cls):
        return super().utcnow() + datetime.timedelta(seconds=off_s)
datetime.datetime = Wrong
"""


@pytest.mark.filterwarnings("ignore:pkg_resources")
@row(23, "device out of memory, then lost")
def test_a_device_without_memory(ground: Ground, undisturbed, record: Record):
    record.exactly("model batch after running out at 64 and 32", halved(), 16)
    ground.failpoints("infer.start=abort@00000040*1")
    job = ground.job(batch_frames=20)
    assert job.wait(WAIT_S).state == "succeeded"
    record.exactly("runs of the batch that lost its device", ground.runs(job)["00000040-00000060"], 2)
    check(ground, [job], undisturbed)
    record.verdict()


@row(23, "device lost three times in a row", ci=True)
def test_a_device_that_stays_lost(ground: Ground, undisturbed, record: Record):
    ground.usual("infer-1", "other")
    ready = ground.stack._ready_folder("infer-1")
    assert (ready / CONSUMING).exists()
    ground.failpoints(f"infer.start=raise:DeviceLost*{MOST}")
    job = ground.job(batch_frames=20)
    until(lambda: ground.gone("infer-1"), 60, "the worker goes on without its device")
    record.exactly("exit status", ground.worker("infer-1").status, UNSOUND)
    assert not (ready / CONSUMING).exists()
    assert not job.status().state.final
    ground.usual("infer-1", "other")
    assert job.wait(WAIT_S).state == "succeeded"
    record.exactly("redone", ground.redone(job), MOST)
    check(ground, [job], undisturbed)
    record.verdict()


def halved() -> int:
    """Pictures per call after a device has run out of memory twice."""
    tf = pytest.importorskip("tensorflow")
    from workers.models.tensorflow_backend import Batches

    def call(pictures: Any) -> Any:
        if len(pictures) > 16:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return tf.constant(pictures[:, 0, 0, :1], tf.float32)

    batches = Batches(call, 64, 4)
    pictures = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert batches.run(pictures)[:, 0].tolist() == list(range(100))
    return batches.size


@row(24, "disk full")
def test_a_full_disk(ground: Ground, undisturbed, record: Record, tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk:
        ground.usual("infer-1", "infer-2")
        ground.start("planner", queues=QUEUE_PLAN)
        ground.start("small", queues=_REDUCING, POSEFLEET_DATA_DIR=str(disk))
        job = ground.job(batch_frames=40, render=True)
        log = ground.worker("small").log
        until(lambda: "no room left" in log.read_text() or job.status().state.final, WAIT_S, "it had space")
        ground.start("large", queues=_REDUCING)
        ended = job.wait(WAIT_S)
        assert ended.state == "succeeded", ended.error
        until(lambda: not folders(disk / "work"), 10, "folders are left on the full disk")
        record.exactly("leftovers", len(folders(disk / "work")), 0)
        ground.usual()
    check(ground, [job], undisturbed)
    record.verdict()


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@row(25, "clock ±1 h on one worker")
@pytest.mark.parametrize("off_s", [3600, -3600])
def test_a_wrong_clock(ground: Ground, undisturbed, record: Record, off_s: int, tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(_WRONG_CLOCK.format(off_s=off_s))
    ground.usual("infer-1", "other", "sweeper")
    ground.start("infer-wrong", PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}")
    jobs = [ground.job(batch_frames=20) for _ in range(3)]
    assert [job.wait(WAIT_S).state for job in jobs] == ["succeeded"] * 3
    said = (ground.folder / "data/logs/infer-wrong.log").read_text()
    record.at_least("messages that it took", said.count(" received"), 1)
    off = [int(each) for each in re.findall(r"this machine's clock is ([+-]\d+) s off", said)]
    record.at_least("times it says how far its clock is off", sum(abs(each - off_s) < 5 for each in off), 1)
    record.exactly("duplicates", sum(ground.redone(job) for job in jobs), 0)
    ground.worker("infer-wrong").ask_to_stop()
    until(lambda: ground.gone("infer-wrong"), 30, "it did not leave")
    ground.usual()
    check(ground, jobs, undisturbed)
    record.verdict()


@row(29, f"soak of {SOAK_S:.0f} s with a fault every {_FAULT_S:.0f} s", patience_s=SOAK_S + 600)
def test_many_faults_for_long(ground: Ground, undisturbed, record: Record, seed: int):
    watch, dice, jobs = Stopwatch(), random.Random(seed), []
    warm = ground.job()
    assert warm.wait(WAIT_S).state == "succeeded"
    keys, lasting, samples = ground.redis.dbsize(), lasting_keys(ground), list[Sample]()
    next_fault = _FAULT_S
    while watch.seconds < SOAK_S:
        jobs.append(ground.job(batch_frames=20, render=dice.random() < 0.3))
        jobs[-1].wait(WAIT_S)
        samples.append(Sample.of(watch.seconds, ground.worker("infer-2").pid))
        if watch.seconds > next_fault:
            next_fault += _FAULT_S
            mistreat(ground, dice)
    ground.usual()
    until(lambda: ground.outstanding() == 0, 60, "messages are left")
    record.exactly("jobs not done", sum(job.status().state != "succeeded" for job in jobs), 0)
    record.about(f"{len(jobs)} jobs")
    growth = {of: slope(samples, of) * 3600 for of in ("parent_mb", "pool_mb", "confined_mb")}
    said = ", ".join(f"{of} {each:.2f}" for of, each in growth.items())
    record.about(f"growth per hour of RSS over {watch.seconds:.0f} s: {said}")
    if SOAK_S >= _LONG_S:
        record.at_most("MB/h of a worker that was spared", sum(growth.values()), 1.0)
    record.at_most("file descriptors more", samples[-1].descriptors - samples[0].descriptors, 4)
    record.at_most("Redis keys without an end more", lasting_keys(ground) - lasting, 4)
    record.about(f"Redis keys {keys} -> {ground.redis.dbsize()}")
    check(ground, jobs, undisturbed)
    record.verdict()


def mistreat(ground: Ground, dice: random.Random) -> None:
    """One fault; the second worker of infer is spared, so that its memory can be looked at."""
    fault = dice.choice(["kill", "child", "resets", "redis", "errors"])
    if fault == "kill":
        name = dice.choice(["infer-1", "other"])
        ground.end(name)
        ground.launch(name)
    elif fault == "child" and (pool := ground.pool("infer-1")):
        os.kill(pool[0], signal.SIGKILL)
    elif fault == "resets":
        ground.redis_proxy.reset_all()
        ground.s3_proxy.reset_all()
    elif fault == "redis":
        ground.server.kill()
        time.sleep(1)
        ground.server.start()
    else:
        ground.s3_proxy.s3_faults = S3Faults(error_share=0.2, most=ground.s3_proxy.faulty() + 40)


class Sample(NamedTuple):
    """What a worker holds at a time."""

    seconds: float
    parent_mb: float
    pool_mb: float
    confined_mb: float
    """Of what the pool started: the processes that decode come and go."""
    descriptors: int

    @classmethod
    def of(cls, seconds: float, pid: int) -> "Sample":
        """Look at the worker ``pid``."""
        parent = psutil.Process(pid)
        pool = parent.children()
        confined = [each for process in pool for each in process.children(recursive=True)]
        sizes = [sum(each.memory_info().rss for each in some) / 1e6 for some in ([parent], pool, confined)]
        return cls(seconds, sizes[0], sizes[1], sizes[2], sum(each.num_fds() for each in (parent, *pool, *confined)))


def slope(samples: list[Sample], of: str) -> float:
    """Per second, by Theil and Sen, without the first sixth, in which everything comes for the first time."""
    late = samples[len(samples) // 6 :]
    if len(late) < _FEW:
        return 0.0
    return float(theilslopes([getattr(each, of) for each in late], [each.seconds for each in late]).slope)


def lasting_keys(ground: Ground) -> int:
    """Keys in Redis that nothing will remove by itself."""
    return sum(ground.redis.ttl(key) == -1 for key in ground.redis.scan_iter(count=1000))
