"""How well processes that share a device keep it at work while object storage takes its time to answer.

The device takes one call at a time, whichever process it comes from, and so long for a batch as a fast one does; each
answer of S3 comes so much later than it would.
"""

import os
from typing import Any
from unittest.mock import patch

from tests.benchmarks.scaling.fleet import ManyWorkers
from tests.support.fixed_cost import DEVICE
from tests.support.proxy import Faults
from tests.support.s3_proxy import S3Proxy


def shared(fleet: ManyWorkers, most: int, cost_s: float, batches: int, answer_s: float) -> list[dict[str, Any]]:
    """Share of its time that the device works in the infer step, for one worker of 1 to ``most`` processes."""
    found: list[dict[str, Any]] = []
    with S3Proxy(int(fleet.stack.addresses.s3_endpoint.rpartition(":")[2])) as proxy:
        proxy.faults = Faults(latency_s=answer_s / 2)
        for processes in range(1, most + 1):
            with fleet.through(proxy.endpoint), patch.dict(os.environ, {DEVICE: str(fleet.folder / "device")}):
                fleet.infer_workers(1, cost_s, processes=processes)
            fleet.seconds(fleet.job(4 * processes))
            seconds = fleet.seconds(fleet.job(batches))
            found.append({"processes": processes, "works": batches * cost_s / seconds, "answer_ms": 1000 * answer_s})
        fleet.end_infer_workers()
    return found
