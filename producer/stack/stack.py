"""Start and stop the whole fleet on one machine, and find one that is running."""

import fcntl
import json
import os
import shutil
import sys
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from kombu.utils.url import maybe_sanitize_url

from producer.api.tokens import SCOPES, TokenFile
from producer.models import infer_processes
from producer.stack.addresses import Addresses, credentials, read_addresses, state_file, write_private
from producer.stack.process import Child, Command, answers, free_port, ports_to_oneself
from producer.stack.servers import redis_command, s3_command, webhook
from schema.names import QUEUE_INFER, QUEUE_PLAN, QUEUE_PUBLISH, QUEUE_RENDER, QUEUE_STITCH
from schema.settings import Settings
from workers.storage.progress import Progress
from workers.storage.s3 import S3Store

_REDIS_PORT, _S3_PORT, _FLOWER_PORT, _API_PORT = 6379, 8333, 5555, 8080
_START_S, _LOAD_S = 60, 600
_LOOK_S = 1.0
_TASK_COLUMNS = "name,args,state,received,runtime,worker,routing_key,retries"
"""Of Flower's list: what tells job, frames and lane."""
Report = Callable[[str], None]


class Stack:
    """The children of one running stack, in the order in which they were started; workers are of ``application``."""

    def __init__(self, settings: Settings, report: Report, application: str = "workers.app") -> None:
        self._settings = settings
        self._application = application
        self._report = report
        self._children: list[Child] = []
        self._servers = 0
        self._taken: set[int] = set()
        self._logs = settings.data_dir / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self.addresses: Addresses

    def start(self) -> None:
        """Start servers, workers and Flower, and wait until all of them work.

        Raises:
            ConfigurationError: something did not come up; all that was started is stopped again.
        """
        try:
            with ports_to_oneself(self._settings.cache_dir):
                self._start_servers()
                self._start_workers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop workers, which finish what fits into their time, then the servers; at once when interrupted."""
        try:
            for group in (self._children[self._servers :], self._children[: self._servers]):
                for child in reversed(group):
                    child.ask_to_stop()
                for child in reversed(group):
                    child.stop()
        finally:
            self.kill()

    def kill(self) -> None:
        """Stop everything at once."""
        for child in reversed(self._children):
            child.kill()
        self._children.clear()

    def revive(self) -> list[str]:
        """Start children again that have ended by themselves; their names."""
        ended = [child for child in self._children if not child.running]
        for child in ended:
            self._children[self._children.index(child)] = child.again()
        return [child.name for child in ended]

    @property
    def children(self) -> list[Child]:
        return list(self._children)

    def forget(self, child: Child) -> None:
        """Take a child that has ended off the list."""
        self._children.remove(child)

    def add_worker(self, name: str, queues: str, processes: int, *, model: bool) -> Child:
        """Start one worker process group and wait until it consumes."""
        child = self._run(self._worker(name, queues, processes, model=model))
        self._await_worker(child, processes)
        return child

    def _start_servers(self) -> None:
        settings = self._settings
        redis_url, s3_endpoint = settings.redis_url, settings.s3_endpoint
        key_id, secret = settings.s3_access_key_id, settings.s3_secret_access_key
        api = f"http://127.0.0.1:{free_port(_API_PORT, self._taken)}"
        if "redis_url" not in settings.model_fields_set:
            port = free_port(_REDIS_PORT, self._taken)
            password = credentials(settings.data_dir)["secret"]
            redis_url = f"redis://:{password}@127.0.0.1:{port}/0"
            child = self._run(redis_command(settings.data_dir, port, password))
            child.wait_until(lambda: answers(port), _START_S)
        if "s3_endpoint" not in settings.model_fields_set:
            key_id, secret = (credentials(settings.data_dir)[name] for name in ("key_id", "secret"))
            port = free_port(_S3_PORT, self._taken)
            s3_endpoint = f"http://127.0.0.1:{port}"
            self._run(s3_command(settings.data_dir, port, self._taken, key_id, secret, webhook(settings, api)))
        flower = f"http://127.0.0.1:{free_port(_FLOWER_PORT, self._taken)}"
        auth = settings.flower_basic_auth or f"posefleet:{credentials(settings.data_dir)['flower']}"
        token = TokenFile(settings.tokens_file).create("local", SCOPES, replace=True)
        self.addresses = Addresses(redis_url, s3_endpoint, key_id, secret, flower, api, token, auth)
        self._servers = len(self._children)
        self._await_servers()

    def _await_servers(self) -> None:
        settings = self.addresses.settings(self._settings)
        store = S3Store(settings)
        for child in self._children:
            child.wait_until(lambda c=child: c.name != "s3" or _ready(store), _START_S)  # type: ignore[misc]
        store.ensure_bucket()
        if any(child.name == "s3" for child in self._children):
            store.allow_browsers()
        Progress(settings.redis_url).ping()
        self._report(f"Redis   {maybe_sanitize_url(self.addresses.redis_url)}")
        self._report(f"S3      {self.addresses.s3_endpoint or 'AWS'}  bucket {settings.bucket}")

    def _start_workers(self) -> None:
        cores = os.cpu_count() or 1
        infer = infer_processes(self._settings, cores)
        others = ",".join((QUEUE_PLAN, QUEUE_STITCH, QUEUE_RENDER, QUEUE_PUBLISH))
        started = [
            self._run(self._worker("infer", QUEUE_INFER, infer, model=True)),
            self._run(self._worker("other", others, cores, model=False)),
            self._run(self._flower()),
            self._run(self._sweeper()),
            self._run(self._api()),
            *(self._run(each) for each in self._exporter()),
        ]
        for worker, processes in zip(started, (infer, cores), strict=False):
            self._await_worker(worker, processes)
        url, (user, _, password) = self.addresses.flower_url, self.addresses.flower_auth.partition(":")
        started[2].wait_until(lambda: _hears_workers(self.addresses, 2), _START_S)
        started[4].wait_until(lambda: _healthy(f"{self.addresses.api_url}/readyz"), _START_S)
        self._report(f"workers {infer} for infer, {cores} for plan, stitch, render, publish")
        self._report(f"Flower  {url}  user {user}, password {password}")
        self._report(f"API     {self.addresses.api_url}/#token={self.addresses.api_token}")
        for measured in self.addresses.metrics:
            self._report(f"metrics {measured}")

    def _worker(self, name: str, queues: str, processes: int, *, model: bool) -> Command:
        arguments = [
            *(sys.executable, "-m", "celery", "-A", self._application, "worker"),
            *("--queues", queues, "--concurrency", str(processes), "--hostname", f"{name}@%h"),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ]
        environment = {
            **self.addresses.environment(),
            "POSEFLEET_WARM_MODEL": "1" if model else "0",
            "POSEFLEET_READY_DIR": str(self._ready_folder(name)),
            "REMAP_SIGTERM": "SIGQUIT",
            "PYTHONPATH": _with_project(),
            **self._measured(),
        }
        shutil.rmtree(self._ready_folder(name), ignore_errors=True)
        return Command(name, arguments, environment, patience_s=self._settings.soft_shutdown_s + 3)

    def _measured(self) -> dict[str, str]:
        """A port of its own for whatever serves metrics."""
        if (first := self._settings.metrics_port) is None:
            return {}
        port = free_port(first + len(self.addresses.metrics), self._taken)
        found = (*self.addresses.metrics, f"http://{self._settings.metrics_host}:{port}/metrics")
        self.addresses = replace(self.addresses, metrics=found)
        return {"POSEFLEET_METRICS_PORT": str(port)}

    def _await_worker(self, child: Child, processes: int) -> None:
        """Wait until the worker consumes and nothing is left to load in any of its processes."""
        folder = self._ready_folder(child.name)
        child.wait_until(lambda: len(list(folder.glob("warm-*"))) >= processes, _LOAD_S)
        child.wait_until((folder / "consuming").exists, _START_S)

    def _ready_folder(self, name: str) -> Path:
        return self._logs / f"{name}.ready"

    def _flower(self) -> Command:
        port = self.addresses.flower_url.rpartition(":")[2]
        arguments = [
            *(sys.executable, "-m", "celery", "-A", "workers.app", "flower"),
            *("--address=127.0.0.1", f"--port={port}", "--persistent=False", f"--tasks-columns={_TASK_COLUMNS}"),
        ]
        environment = {"FLOWER_BASIC_AUTH": self.addresses.flower_auth, "PYTHONPATH": _with_project()}
        return Command("flower", arguments, {**self.addresses.environment(), **environment})

    def _sweeper(self) -> Command:
        environment = {**self.addresses.environment(), "PYTHONPATH": _with_project()}
        return Command("sweeper", [sys.executable, "-m", "producer", "sweep"], environment)

    def _api(self) -> Command:
        port = self.addresses.api_url.rpartition(":")[2]
        environment = {**self.addresses.environment(), "PYTHONPATH": _with_project()}
        return Command("api", [sys.executable, "-m", "producer", "api", "--port", port], environment, patience_s=5)

    def _exporter(self) -> list[Command]:
        """What tells of the whole fleet, where anything is measured."""
        if not (port := self._measured().get("POSEFLEET_METRICS_PORT")):
            return []
        environment = {**self.addresses.environment(), "PYTHONPATH": _with_project()}
        return [Command("metrics", [sys.executable, "-m", "producer", "metrics", "--port", port], environment)]

    def _run(self, command: Command) -> Child:
        child = Child(command, self._logs)
        self._children.append(child)
        return child


@contextmanager
def running_stack(settings: Settings, report: Report) -> Iterator[Addresses]:
    """The stack of this data folder: the one that runs, else one that ends with the block."""
    with _lock(settings.data_dir) as lock:
        if lock is None:
            report("using the stack that is running")
            yield read_addresses(settings.data_dir)
            return
        stack = Stack(settings, report)
        stack.start()
        state = state_file(settings.data_dir)
        try:
            write_private(state, json.dumps(asdict(stack.addresses)))
            with _looked_after(stack, report):
                yield stack.addresses
        finally:
            state.unlink(missing_ok=True)


@contextmanager
def _looked_after(stack: Stack, report: Report) -> Iterator[None]:
    """Start what ends by itself again, as a cluster would; stop all at the end.

    Children end with the thread that started them, so the thread stays until they are stopped.
    """
    over, idle, stopped = (threading.Event() for _ in range(3))

    def look() -> None:
        while not over.wait(_LOOK_S):
            for name in stack.revive():
                report(f"{name} had ended and was started again; its log says why")
        idle.set()
        stopped.wait()

    thread = threading.Thread(target=look, name="supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        idle.wait()
        try:
            stack.stop()
        finally:
            stopped.set()
            thread.join()


@contextmanager
def _lock(data: Path) -> Iterator[IO[str] | None]:
    """Hold the data folder; none when another process holds it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lock


def _ready(store: S3Store) -> bool:
    with suppress(Exception):
        store.head("ready")
        return True
    return False


def _healthy(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def _hears_workers(addresses: Addresses, count: int) -> bool:
    """Whether Flower has heard of so many workers. It answers before it listens, and what it misses is not repeated."""
    request = urllib.request.Request(f"{addresses.flower_url}/api/workers?status=1")
    request.add_header("Authorization", f"Basic {b64encode(addresses.flower_auth.encode()).decode()}")
    with suppress(OSError), urllib.request.urlopen(request, timeout=1) as answer:
        return sum(map(bool, json.load(answer).values())) >= count
    return False


def _with_project() -> str:
    """The project's folder first on the path of processes that are started from elsewhere."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
