"""A small fleet of real processes: Redis, S3, pods of the chart whose model waits a fixed time for each picture."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer import Fleet
from producer.stack.addresses import Addresses
from producer.stack.process import Child, answers, free_port, ports_to_oneself
from producer.stack.servers import redis_command, s3_command
from schema.errors import PosefleetError
from schema.settings import Settings, current
from tests.chart.rendering import Document, render
from tests.support.fixed_cost import APPLICATION, COST
from tests.support.pods import Pods, Template
from tests.support.waiting import until

_KEY_ID, _SECRET = "posefleet", "of-the-tests"
PATIENCE_S = 600.0


@dataclass
class Servers:
    """Redis and S3 of one fleet."""

    fleet: Fleet
    addresses: Addresses
    folder: Path
    redis_pid: int

    @property
    def redis(self) -> Any:
        return self.fleet.progress.redis

    @contextmanager
    def pods(self, values: Document, pool: str, cost_s: float = 0.0, s3: str = "") -> Iterator[Pods]:
        """The pods of a pool, none at first; they reach S3 at ``s3`` where that is given."""
        folder = self.folder / f"{pool}-{time.monotonic_ns()}"
        folder.mkdir()
        given = {
            **self.addresses.environment(),
            **({"POSEFLEET_S3_ENDPOINT": s3} if s3 else {}),
            COST: str(cost_s),
            "POSEFLEET_CACHE_DIR": str(current().cache_dir),
            "POSEFLEET_METRICS_PORT": "",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
        }
        pods = Pods(Template.of(render(values, over="keda"), pool), APPLICATION, given, folder)
        try:
            yield pods
        finally:
            pods.kill()


@contextmanager
def servers(folder: Path, values: Document) -> Iterator[Servers]:
    """Both, empty, for as long as the block lasts."""
    taken = set[int]()
    with ExitStack() as closing:
        with ports_to_oneself(current().cache_dir):
            redis_port, s3_port = free_port(26379, taken), free_port(28333, taken)
            redis = Child(redis_command(folder, redis_port), folder)
            closing.callback(redis.kill)
            s3 = Child(s3_command(folder, s3_port, taken, _KEY_ID, _SECRET), folder)
            closing.callback(s3.kill)
            redis.wait_until(lambda: answers(redis_port), PATIENCE_S)
            s3.wait_until(lambda: answers(s3_port), PATIENCE_S)
        url, endpoint = f"redis://127.0.0.1:{redis_port}/0", f"http://127.0.0.1:{s3_port}"
        addresses = Addresses(url, endpoint, _KEY_ID, _SECRET, "")
        fleet = Fleet(addresses.settings(Settings(data_dir=folder, **values["settings"])))
        s3.wait_until(lambda: _has_bucket(fleet), PATIENCE_S)
        yield Servers(fleet, addresses, folder, redis.pid)


def _has_bucket(fleet: Fleet) -> bool:
    with suppress(PosefleetError):
        fleet.store.ensure_bucket()
        return True
    return False


def ready(pods: Pods, count: int) -> float:
    """Have so many pods and wait until all are ready; seconds it took."""
    began = time.monotonic()
    pods.scale(count)
    until(lambda: sum(pod.ready for pod in pods.running) == count, PATIENCE_S, f"not {count} pods")
    return time.monotonic() - began
