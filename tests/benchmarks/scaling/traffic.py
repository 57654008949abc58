"""Commands to Redis and requests to S3 per batch in steady state, by who sends them for what."""

import time
from collections import Counter
from typing import Any

from schema.names import JobKeys
from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.benchmarks.scaling.monitor import Monitor
from tests.support.s3_proxy import S3Proxy


def steady(fleet: ManyWorkers, workers: int, cost_s: float, batches: int) -> dict[str, Any]:
    """Run a job, and count between a tenth and nine tenths of its batches."""
    with S3Proxy(int(fleet.stack.addresses.s3_endpoint.rpartition(":")[2])) as proxy:
        with fleet.through(proxy.endpoint):
            fleet.infer_workers(workers, cost_s)
        with Monitor(fleet.fleet.settings.redis_url) as sending:
            job = fleet.job(batches)
            fleet.until_done(job, batches // 10)
        with Monitor(fleet.fleet.settings.redis_url) as monitor:
            proxy.forget()
            began, first = time.monotonic(), fleet.done(job)
            fleet.until_done(job, batches * 9 // 10)
            counted, took = fleet.done(job) - first, time.monotonic() - began
            requests = Counter(_request(each.method, each.target, job.job_id) for each in proxy.exchanges())
        fleet.seconds(job)
        fleet.end_infer_workers()
    polled = monitor.sent.pop("SCARD job")
    return {
        "workers": workers,
        "batch_s": cost_s,
        "batches": counted,
        "seconds": took,
        "redis": _per(monitor.sent, counted),
        "redis_to_send": _per(Counter({name: sending.sent[name] for name in _SENDING}), batches),
        "redis_inside_scripts": _per(monitor.inside, counted),
        "polled_by_this": polled,
        "s3": _per(requests, counted),
    }


_SENDING = ("LPUSH infer", "PUBLISH task.sent", "EVALSHA ANNOUNCE")


def _per(counts: Counter[str], batches: int) -> dict[str, float]:
    return {name: count / batches for name, count in counts.most_common()}


def _request(method: str, target: str, job_id: str) -> str:
    """A request by what it is for."""
    path = target.partition("?")[0]
    keys = JobKeys(job_id)
    kinds = {keys.poses_prefix: "poses", keys.manifest: "manifest", keys.index: "index", "uploads/": "source"}
    return f"{method} {next((kind for part, kind in kinds.items() if part in path), path.rpartition('/')[2])}"
