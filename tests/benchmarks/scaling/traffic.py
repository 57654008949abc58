"""Commands to Redis and requests to S3 per batch in steady state, by who sends them for what."""

import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import redis

from schema.names import JobKeys
from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.support.s3_proxy import S3Proxy
from workers.storage import scripts

_SCRIPTS = ("START", "FINISH", "ANNOUNCE", "PUT_BACK", "PULSE", "LANE", "UNLANE")


class Monitor:
    """What clients send to Redis: MONITOR, counted."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._names = {client.register_script(getattr(scripts, name)).sha: name for name in _SCRIPTS}
        self.sent: Counter[str] = Counter()
        """By command and what it is for."""
        self.inside: Counter[str] = Counter()
        """Commands that scripts ran inside Redis."""
        self._over = False

    def __enter__(self) -> "Monitor":
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._client.ping()
        self._thread.join(5)
        with suppress(redis.RedisError):
            self._monitor.__exit__(None, None, None)

    def _listen(self) -> None:
        while not self._over:
            told = self._monitor.next_command()
            if told["client_type"] == "lua":
                self.inside[told["command"].split()[0].upper()] += 1
            else:
                self.sent[self._what(told["command"])] += 1

    def _what(self, command: str) -> str:
        name, *arguments = command.split(" ", 3)
        name, first = name.upper(), arguments[0] if arguments else ""
        if name == "EVALSHA":
            return f"EVALSHA {self._names.get(first, first)}"
        return f"{name} {_kind(first)}".strip()


def _kind(key: str) -> str:
    """A key without what differs from job to job and worker to worker."""
    words = key.removeprefix("posefleet:").split(":")
    if "celeryev" in key or "pidbox" in key:
        return key.split("/")[-1].split(".")[0]
    return words[0] if words[0] in ("job", "waiting", "running") else key


def steady(fleet: ManyWorkers, workers: int, cost_s: float, batches: int) -> dict[str, Any]:
    """Run a job and count between a tenth and nine tenths of its batches."""
    with S3Proxy(int(fleet.stack.addresses.s3_endpoint.rpartition(":")[2])) as proxy:
        fleet.through(proxy.endpoint)
        fleet.infer_workers(workers, cost_s)
        client = redis.Redis.from_url(fleet.fleet.settings.redis_url, decode_responses=True)
        job = fleet.job(batches)
        fleet.until_done(job, batches // 10)
        with Monitor(client) as monitor:
            proxy.forget()
            began, first = time.monotonic(), fleet.done(job)
            fleet.until_done(job, batches * 9 // 10)
            counted = fleet.done(job) - first
            took = time.monotonic() - began
            requests = Counter(_request(each.method, each.target, job.job_id) for each in proxy.exchanges())
        fleet.seconds(job)
        fleet.end_infer_workers()
    return {
        "workers": workers,
        "batch_s": cost_s,
        "batches": counted,
        "seconds": took,
        "redis": {name: count / counted for name, count in monitor.sent.most_common()},
        "redis_inside_scripts": {name: count / counted for name, count in monitor.inside.most_common()},
        "s3": {name: count / counted for name, count in requests.most_common()},
    }


def _request(method: str, target: str, job_id: str) -> str:
    """A request by what it is for."""
    path = target.partition("?")[0]
    keys = JobKeys(job_id)
    kinds = {keys.poses_prefix: "poses", keys.manifest: "manifest", keys.index: "index", "uploads/": "source"}
    return f"{method} {next((kind for part, kind in kinds.items() if part in path), path.rpartition('/')[2])}"
