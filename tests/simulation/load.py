"""What work asks of Redis and S3, counted on real processes: ``python -m tests.simulation.load``.

Two jobs that differ in their number of batches give what a batch costs; the rest of the shorter one is what a job
costs.  Redis's own share is taken off by looking at it while nothing happens.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from producer.inputs import upload
from producer.split import split
from producer.sweep import Sweeper
from schema.messages import FrameBatch
from schema.names import TASK_INFER, LedgerKeys, range_name
from schema.options import Options
from schema.queue import make_app, send
from tests.benchmarks.scaling.monitor import Monitor
from tests.simulation.measured import keep
from tests.simulation.real import Servers, ready, servers
from tests.simulation.runs import OTHERS, POOL, VALUES
from tests.support.media import tiny
from tests.support.s3_proxy import S3Proxy
from workers.storage.records import read_job

_FRAMES = 4
_SHORT, _LONG = 10, 60
_IDLE_S = 20.0
_QUIET = 60
_MESSAGES = 5000
_WORKERS = len(OTHERS) + 2


@dataclass
class Count:
    """What was asked of the servers."""

    commands: float = 0.0
    """That clients sent to Redis."""
    redis_s: float = 0.0
    """CPU of Redis's main thread."""
    s3: dict[str, float] = field(default_factory=dict)
    """Requests by method."""

    def less(self, other: "Count", share: float = 1.0) -> "Count":
        """The difference; of ``other`` so many."""
        methods = self.s3.keys() | other.s3.keys()
        s3 = {name: self.s3.get(name, 0.0) - share * other.s3.get(name, 0.0) for name in sorted(methods)}
        return Count(self.commands - share * other.commands, self.redis_s - share * other.redis_s, s3)

    def over(self, parts: float) -> "Count":
        """A share of it."""
        s3 = {name: round(value / parts, 3) for name, value in self.s3.items()}
        return Count(self.commands / parts, self.redis_s / parts, s3)


@dataclass
class Load:
    """What is kept."""

    infer_batch: Count
    render_batch: Count
    job: Count
    idle_worker: Count
    """In a second, of one worker with one process."""
    idle_polls: float
    """Of its commands, those that ask for a message: whoever is busy sends none."""
    connections: float
    """To Redis, of one worker with one process."""
    message_bytes: float
    """Of Redis's memory, for a batch that waits."""
    compared_s: float
    """Of the sweeper, for an open job without news."""
    compared_s3: float
    """Requests, for the same."""


class Counter:
    """Counts what clients ask of Redis, script calls not among it, and of S3, while nothing but that is looked at.

    Being watched costs Redis as much as the work, so its CPU is that of a second time, without.
    """

    def __init__(self, there: Servers, proxy: S3Proxy, monitor: Monitor | None = None) -> None:
        self._there, self._proxy, self._monitor = there, proxy, monitor

    def now(self) -> Count:
        """Everything so far."""
        cpu = self._there.redis.info("cpu")
        seconds = cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"]
        sent = self._monitor.sent.total() if self._monitor else 0
        return Count(sent, seconds, dict(self._proxy.methods()))


@contextmanager
def _fleet(there: Servers, s3: str) -> Iterator[None]:
    with ExitStack() as closing:
        for pool in (*OTHERS, POOL, "render"):
            ready(closing.enter_context(there.pods(VALUES, pool, 0.0, s3)), 1)
        yield


@dataclass
class Counts:
    """Of all jobs, and of a second without any."""

    batch: Count
    render: Count
    job: Count
    idle: Count

    def but(self, other: "Counts") -> "Counts":
        """The same, with Redis's CPU as ``other`` has it."""
        parts = ("batch", "render", "job", "idle")
        return Counts(*(replace(getattr(self, part), redis_s=getattr(other, part).redis_s) for part in parts))


def count() -> Load:
    """Count all of it, on servers of its own."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(TemporaryDirectory()))
        there = closing.enter_context(servers(folder, VALUES))
        port = int((there.addresses.s3_endpoint or "").rpartition(":")[2])
        proxy = closing.enter_context(S3Proxy(port))
        sizes, compared = _messages(there), _compared(there, proxy)
        alone = there.redis.info("clients")["connected_clients"]
        closing.enter_context(_fleet(there, proxy.endpoint))
        connections = (there.redis.info("clients")["connected_clients"] - alone) / _WORKERS
        _job(there, Counter(there, proxy), _SHORT, True, Count(), 0)
        unwatched = _counts(there, Counter(there, proxy), 1)
        monitor = closing.enter_context(Monitor(there.addresses.redis_url))
        polls = _polls(monitor)
        found = _counts(there, Counter(there, proxy, monitor), 2).but(unwatched)
    idle = found.idle.over(_WORKERS)
    return Load(found.batch, found.render, found.job, idle, polls, connections, sizes, *compared)


def _polls(monitor: Monitor) -> float:
    """Of an idle worker, in a second."""
    time.sleep(_IDLE_S)
    return sum(count for name, count in monitor.sent.items() if name.startswith("BRPOP")) / _IDLE_S / _WORKERS


def _counts(there: Servers, counter: Counter, turn: int) -> Counts:
    before = counter.now()
    time.sleep(_IDLE_S)
    idle = counter.now().less(before).over(_IDLE_S)
    jobs = {
        (render, length): _job(there, counter, length, render, idle, turn)
        for render in (False, True)
        for length in (_SHORT, _LONG)
    }
    batch, both = (jobs[render, _LONG].less(jobs[render, _SHORT]).over(_LONG - _SHORT) for render in (False, True))
    return Counts(batch, both.less(batch), jobs[True, _SHORT].less(both, _SHORT), idle)


def _job(there: Servers, counter: Counter, batches: int, render: bool, idle: Count, turn: int) -> Count:
    """What one job asks for; what idle workers ask is taken off."""
    path = tiny(there.folder / f"{batches}-{render}-{turn}.mp4", batches * _FRAMES, _FRAMES)
    uri, before, began = upload(there.fleet, path), counter.now(), time.monotonic()
    job = there.fleet.enqueue(uri, Options(render=render), batch_frames=_FRAMES, force=True)
    while there.redis.zscore(LedgerKeys.open, job.job_id) is not None:
        time.sleep(0.1)
    time.sleep(1)
    return counter.now().less(before).less(idle, time.monotonic() - began)


def _messages(there: Servers) -> float:
    """Bytes that Redis needs for each batch that waits."""
    app = make_app(there.fleet.settings)
    before = there.redis.info("memory")["used_memory"]
    batches = [FrameBatch(job_id="0" * 32, start=240 * n, stop=240 * (n + 1)) for n in range(_MESSAGES)]
    units = [range_name(each.start, each.stop) for each in batches]
    there.fleet.progress.announce("0" * 32, "infer", units)
    send(app, TASK_INFER, batches)
    size = there.redis.info("memory")["used_memory"] - before
    there.redis.flushall()
    return float(size / _MESSAGES)


def _compared(there: Servers, proxy: S3Proxy) -> tuple[float, float]:
    """Seconds and requests of a sweep for each job that was split and of which there is no news."""
    settings = there.fleet.settings.model_copy(
        update={"s3_endpoint": proxy.endpoint, "quiet_s": 1e-3, "lost_after_s": 1e6}
    )
    sweeper = Sweeper(type(there.fleet)(settings))
    sweeper.sweep()
    body = tiny(there.folder / "quiet.mp4", 8, 4).read_bytes()
    for number in range(_QUIET):
        key = f"quiet/{number}.mp4"
        there.fleet.store.put_new(key, body + f"{number:04}".encode())
        job = there.fleet.enqueue(f"s3://{there.fleet.store.bucket}/{key}")
        plan = split(store=there.fleet.store, job=read_job(there.fleet.store, job.job_id), aim=4)
        there.fleet.progress.announce(job.job_id, "infer", plan.units)
    asked, began = len(proxy.exchanges()), time.monotonic()
    findings = sweeper.sweep()
    assert (findings.compared, findings.sent) == (_QUIET, {}), findings
    took, asked = time.monotonic() - began, len(proxy.exchanges()) - asked
    there.redis.flushall()
    return took / _QUIET, asked / _QUIET


def main() -> None:
    """Count, print, and keep it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="keep the figures here")
    asked, found = parser.parse_args(), asdict(count())
    print(json.dumps(found, indent=1))
    if asked.json:
        keep(asked.json, "load", found)


if __name__ == "__main__":
    main()
