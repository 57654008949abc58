"""A fleet to be mistreated: servers, proxies before them, worker processes, failpoints, and notes of what they did."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import redis

from producer import Fleet
from producer.job import Job
from producer.stack.addresses import Addresses
from producer.stack.process import Child, _any_free, answers, ports_to_oneself
from producer.stack.servers import redis_command, s3_command
from producer.stack.stack import Stack
from schema.failpoint import FOLDER, NOTES, WHERE
from schema.names import (
    QUEUE_INFER,
    QUEUE_PLAN,
    QUEUE_PUBLISH,
    QUEUE_RENDER,
    QUEUE_STITCH,
    STEP_QUEUES,
    JobKeys,
    LedgerKeys,
    lanes_of,
)
from schema.options import Options
from schema.settings import Settings, current
from tests.support.proxy import Faults, Proxy
from tests.support.s3_proxy import S3Faults, S3Proxy
from tests.support.waiting import until

VISIBILITY_S, SOFT_SHUTDOWN_S, LOST_AFTER_S = 18, 3, 15
KEY_ID, SECRET = "posefleet", "of-the-tests"
OTHERS = ",".join((QUEUE_PLAN, QUEUE_STITCH, QUEUE_RENDER, QUEUE_PUBLISH))
USUAL = ("infer-1", "infer-2", "other", "sweeper")
_NOTED = "infer.start=note;infer.after_put=note;publish.before_manifest=note;publish.after_manifest=note"
LIMITS: dict[str, object] = {
    "task_soft_limit_s": 14,
    "task_limit_s": 15,
    "visibility_timeout_s": VISIBILITY_S,
    "soft_shutdown_s": SOFT_SHUTDOWN_S,
    "retry_backoff_s": 0.2,
    "s3_timeout_s": 1.5,
    "sweep_interval_s": 5,
    "lost_after_s": LOST_AFTER_S,
    "model": "multipose-lightning",
}


@dataclass(frozen=True)
class Note:
    """A process came to a place."""

    time: float
    """Seconds since the epoch."""
    pid: int
    place: str
    about: str

    @property
    def unit(self) -> str:
        """Frame range of a key of poses."""
        return Path(self.about).stem


class RedisServer:
    """A Redis that can be killed and comes back at the same place."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.child = Child(redis_command(self._folder, self.port), self._folder)
        self.child.wait_until(self._answers, 30)

    def _answers(self) -> bool:
        with suppress(redis.RedisError, OSError), redis.Redis(port=self.port, socket_timeout=2) as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """``kill -9``."""
        self.child.kill()

    def pause(self) -> None:
        """It hangs: connections stay, nothing is answered."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End of `pause`."""
        os.kill(self.child.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        self.go_on()
        self.child.kill()


class Ground:
    """Redis, S3, a proxy before each, and as many worker processes as a row wants.

    Workers see the servers through the proxies, the test sees them directly.
    """

    def __init__(self, folder: Path, clip: Path) -> None:
        self.folder, self.clip, self.seed = folder, clip, 0
        self._closing = ExitStack()
        self._taken: set[int] = set()
        self._points = folder / "failpoints"
        self._workers: dict[str, Child] = {}

    def __enter__(self) -> "Ground":
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _start(self) -> None:
        for name in ("redis", "s3", "data", "marks"):
            (self.folder / name).mkdir()
        with ports_to_oneself(current().cache_dir):
            self.server = RedisServer(self.folder, self._port())
            self._closing.callback(self.server.stop)
            s3_port = self._port()
            s3 = Child(s3_command(self.folder, s3_port, self._taken, KEY_ID, SECRET), self.folder)
            self._closing.callback(s3.kill)
            s3.wait_until(lambda: answers(s3_port), 60)
        self.redis_proxy = self._closing.enter_context(Proxy(self.server.port))
        self.s3_proxy = self._closing.enter_context(S3Proxy(s3_port))
        settings = self.settings(f"redis://127.0.0.1:{self.server.port}/0", f"http://127.0.0.1:{s3_port}")
        self.fleet = Fleet(settings)
        self.client: Any = self.fleet.store._client
        until(self._bucket, 60, "no bucket")
        self.redis: Any = redis.Redis(port=self.server.port, decode_responses=True, socket_timeout=60)
        self._closing.callback(self.redis.close)
        self.uri = self.upload(self.clip)
        self.stack = Stack(settings, lambda _: None)
        self.stack.addresses = Addresses(
            f"redis://127.0.0.1:{self.redis_proxy.port}/0", self.s3_proxy.endpoint, KEY_ID, SECRET, ""
        )
        self._closing.callback(self.stack.kill)

    def _port(self) -> int:
        port = _any_free(self._taken)
        self._taken.add(port)
        return port

    def settings(self, redis_url: str, endpoint: str) -> Settings:
        """Settings of a fleet at these addresses."""
        return Settings(
            redis_url=redis_url,
            s3_endpoint=endpoint,
            s3_access_key_id=KEY_ID,
            s3_secret_access_key=SECRET,
            data_dir=self.folder / "data",
            **LIMITS,
        )

    def _bucket(self) -> bool:
        with suppress(Exception):
            self.fleet.store.ensure_bucket()
            return True
        return False

    def upload(self, path: Path, name: str | None = None) -> str:
        """Put a video into the bucket; its URI."""
        key = f"uploads/{name or path.name}"
        self.client.put_object(Bucket=self.fleet.store.bucket, Key=key, Body=path.read_bytes())
        return f"s3://{self.fleet.store.bucket}/{key}"

    # Workers

    def start(self, *names: str, queues: str = "", processes: int = 1, **environment: str) -> list[Child]:
        """Start workers by name, ``infer-…`` with the model, and wait until they consume."""
        started = self.launch(*names, queues=queues, processes=processes, **environment)
        for child in started:
            if child.name != "sweeper":
                self.stack._await_worker(child, processes)
        return started

    def launch(self, *names: str, queues: str = "", processes: int = 1, **environment: str) -> list[Child]:
        """Like `start`, without waiting."""
        return [self._launch(name, queues, processes, environment) for name in names]

    def _launch(self, name: str, queues: str, processes: int, environment: dict[str, str]) -> Child:
        model = name.startswith("infer")
        queues = queues or (QUEUE_INFER if model else OTHERS)
        sweeper = name == "sweeper"
        command = self.stack._sweeper() if sweeper else self.stack._worker(name, queues, processes, model=model)
        limits = {f"POSEFLEET_{key}".upper(): str(value) for key, value in LIMITS.items()}
        mine = {
            **limits,
            "POSEFLEET_DATA_DIR": str(self.folder / "data"),
            **self.watched(),
            **environment,
        }
        self._workers[name] = self.stack._run(replace(command, environment={**command.environment, **mine}))
        return self._workers[name]

    def worker(self, name: str) -> Child:
        """A running worker."""
        return self._workers[name]

    def end(self, name: str) -> None:
        """SIGKILL to a worker and all it started; it is not to run any more."""
        child = self._workers.pop(name)
        child.kill()
        self.stack.forget(child)

    def pool(self, name: str) -> list[int]:
        """The pool processes of a worker."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.worker(name).pid).children()
            return [each.pid for each in children if "spawn_main" in " ".join(each.cmdline())]
        return []

    def who(self, pid: int) -> str:
        """The worker that a pool process belongs to."""
        return next((name for name in self._workers if pid in self.pool(name)), "")

    def usual(self, *names: str) -> None:
        """Exactly these workers run and work; faults are over."""
        self.calm()
        names = names or USUAL
        for name, child in list(self._workers.items()):
            if name not in names or not child.running:
                self.end(name)
        if missing := [name for name in names if name not in self._workers]:
            self.start(*missing)

    def calm(self) -> None:
        """No more faults."""
        self.failpoints("")
        self.redis_proxy.faults, self.s3_proxy.faults, self.s3_proxy.s3_faults = Faults(), Faults(), S3Faults()
        for child in self._workers.values():
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGCONT)
        if not self.server.child.running:
            self.server.start()
        self.server.go_on()

    def forget(self) -> None:
        """End all jobs, and take what is left of them out of Redis."""
        for job_id in self.redis.zrange(LedgerKeys.open, 0, -1):
            self.fleet.cancel(str(job_id))
        self.redis.flushall()

    def gone(self, name: str) -> bool:
        """Whether a worker has ended."""
        return not self._workers[name].running

    def dead(self) -> list[str]:
        """Workers that ended by themselves."""
        return [name for name, child in self._workers.items() if not child.running]

    # Failpoints and notes

    def failpoints(self, text: str) -> None:
        """What is to happen from now on, beside notes of infer and publish."""
        for mark in (self.folder / "marks").iterdir():
            if mark.name != NOTES:
                mark.unlink()
        new = self._points.with_suffix(".new")
        new.write_text(f"{_NOTED};{text}")
        new.replace(self._points)

    def watched(self) -> dict[str, str]:
        """What makes a process heed `failpoints` and leave notes."""
        return {WHERE: f"file:{self._points}", FOLDER: str(self.folder / "marks")}

    def notes(self, job: Job | None = None, place: str = "infer.start", since: float = 0.0) -> list[Note]:
        """Who came to ``place``, of one job or all."""
        path = self.folder / "marks" / NOTES
        if not path.exists():
            return []
        lines = (line.split(" ", 3) for line in path.read_text().splitlines())
        found = [Note(float(time_s), int(pid), name, about) for time_s, pid, name, about in lines]
        prefix = JobKeys(job.job_id).prefix if job else ""
        return [note for note in found if note.place == place and note.about.startswith(prefix) and note.time > since]

    def runs(self, job: Job) -> dict[str, int]:
        """How often the work of each batch of a job was begun."""
        counts: dict[str, int] = {}
        for note in self.notes(job):
            counts[note.unit] = counts.get(note.unit, 0) + 1
        return counts

    def redone(self, job: Job) -> int:
        """Runs of batches beyond the first of each."""
        return sum(count - 1 for count in self.runs(job).values())

    def command(self, *arguments: str) -> str:
        """What ``posefleet`` says."""
        done = subprocess.run(
            [sys.executable, "-m", "producer", *arguments],
            env={**os.environ, **self.stack.addresses.environment()},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    # Jobs

    def job(self, batch_frames: int = 10, *, uri: str = "", render: bool = False) -> Job:
        """A new job on the clip."""
        return self.fleet.enqueue(uri or self.uri, Options(render=render), batch_frames=batch_frames, force=True)

    def under_way(self, job: Job, runs: int = 3, patience_s: float = 60) -> Note:
        """Wait until some batches of a job have begun; the latest."""
        until(lambda: len(self.notes(job)) >= runs, patience_s, f"not {runs} batches begun")
        return self.notes(job)[-1]

    def begun(self, job: Job, start: int) -> Note:
        """Wait until the batch from frame ``start`` has begun; its first run."""

        def runs() -> list[Note]:
            return [note for note in self.notes(job) if note.unit.startswith(f"{start:08d}-")]

        until(runs, 60, f"the batch from {start} was not begun")
        return runs()[0]

    def queued(self, *queues: str) -> int:
        """Messages that wait on all lanes of some queues."""
        return sum(self.redis.llen(f"posefleet:{lane}") for queue in queues for lane in lanes_of(queue))

    def outstanding(self) -> int:
        """Messages that wait or are unacknowledged."""
        return int(self.queued(*STEP_QUEUES) + self.redis.hlen("posefleet:unacked"))
