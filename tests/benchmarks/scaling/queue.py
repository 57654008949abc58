"""A queue of a million batches: what it takes, how fast it grows, and how soon the first and an urgent one begin."""

import time
from typing import Any

from schema.messages import messages_of
from schema.names import TASK_INFER, range_name
from schema.queue import send
from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.benchmarks.scaling.monitor import Monitor
from workers.telemetry.fleet import FleetGauges

_STEP, _LANE, _AT_ONCE = "infer", "1", 10_000
_NO_JOB = "0123456789abcdef0123"
_FRAMES = 240


def deep(fleet: ManyWorkers, batches: int) -> dict[str, Any]:
    """Send so many batches of a job that there is not, and look; the queue is empty afterwards."""
    before, began = _memory(fleet), time.monotonic()
    for first in range(0, batches, _AT_ONCE):
        units = [range_name(_FRAMES * i, _FRAMES * (i + 1)) for i in range(first, min(batches, first + _AT_ONCE))]
        fleet.fleet.progress.announce(_NO_JOB, _STEP, units, lane=_LANE)
        send(fleet.fleet.dispatch.app, TASK_INFER, messages_of(_NO_JOB, units), _LANE)
    took = time.monotonic() - began
    found: dict[str, Any] = {
        "batches": batches,
        "enqueue_a_second": batches / took,
        "bytes_a_batch": (_memory(fleet) - before) / batches,
        "memory_gb": _memory(fleet) / 1e9,
        "exporter_ms": 1000 * _seconds(FleetGauges(fleet.fleet.settings.redis_url)),
        "lost_ms": 1000 * _seconds(lambda: fleet.fleet.ledger.lost(_STEP, 20, 360)),
    }
    with Monitor(fleet.fleet.settings.redis_url) as monitor:
        fleet.infer_workers(1, 0.01)
        found["urgent_s"] = _urgent(fleet, monitor)
        fleet.end_infer_workers()
    fleet.empty(_STEP)
    return found


def _urgent(fleet: ManyWorkers, monitor: Monitor) -> float:
    """Seconds from the message of somebody else's batch to its start."""
    job = fleet.job(1, submitter="somebody")
    fleet.seconds(job)
    return next(wait for unit, wait in monitor.between("LPUSH", "START").items() if job.job_id in unit and "-" in unit)


def _memory(fleet: ManyWorkers) -> int:
    """Bytes of Redis's data."""
    return int(fleet.redis.info("memory")["used_memory"])


def _seconds(run: Any) -> float:
    began = time.monotonic()
    run()
    return time.monotonic() - began
