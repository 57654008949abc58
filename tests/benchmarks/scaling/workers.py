"""How the infer step's rate grows with the number of workers, and how soon an idle one begins."""

import statistics
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.benchmarks.scaling.monitor import Monitor

_WARM_UP = 10


def rates(fleet: ManyWorkers, counts: list[int], cost_s: float, batches_each: int) -> list[dict[str, Any]]:
    """Batches a second of the infer step with so many workers, whose batches take ``cost_s`` in the model."""
    found: list[dict[str, Any]] = []
    for count in counts:
        fleet.infer_workers(count, cost_s)
        fleet.seconds(fleet.job(2 * count))
        psutil.cpu_percent()
        seconds = fleet.seconds(fleet.job(batches_each * count))
        found.append({"workers": count, "rate": batches_each * count / seconds, "cpu": psutil.cpu_percent() / 100})
    alone = found[0]["rate"] / found[0]["workers"]
    for each in found:
        each["linear"] = each["rate"] / (each["workers"] * alone)
        each["of_ideal"] = each["rate"] / (each["workers"] / cost_s)
    fleet.end_infer_workers()
    return found


def latency(fleet: ManyWorkers, workers: int, times: int) -> dict[str, float]:
    """Milliseconds from a message of infer being sent to the start of its task, while everything is idle.

    Jobs of one batch follow each other.  Both moments are Redis's: LPUSH, and the script that grants the turn.
    """
    fleet.infer_workers(workers, 0.01)
    for _ in range(_WARM_UP):
        fleet.seconds(fleet.job(1))
    with Monitor(fleet.fleet.settings.redis_url) as monitor:
        for _ in range(times):
            fleet.seconds(fleet.job(1))
    fleet.end_infer_workers()
    waited = monitor.between("LPUSH", "START")
    found = [1000 * each for unit, each in waited.items() if not unit.endswith("all")]
    return {
        "starts": len(found),
        "p50_ms": statistics.median(found),
        "p90_ms": float(np.percentile(found, 90)),
        "p99_ms": float(np.percentile(found, 99)),
        "most_ms": max(found),
    }
