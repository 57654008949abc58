"""Gauges of the whole fleet, from one round trip to Redis; what autoscalers and dashboards ask for."""

import json
from collections import Counter
from typing import Any

from prometheus_client import CollectorRegistry

from schema.errors import BrokerUnavailable
from schema.names import STEPS, LedgerKeys
from workers.storage.progress import connect, translated
from workers.telemetry import meters
from workers.telemetry.meters import Meter
from workers.telemetry.prometheus import Gauges, Series, registry_of
from workers.telemetry.pulse import GONE_AFTER_S


class FleetGauges:
    """Asks Redis when somebody looks; says nothing but that, when it does not answer."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)

    def __call__(self) -> dict[Meter, Series]:
        """All gauges now."""
        try:
            with translated():
                return {**self._ask(), meters.REDIS_UP: {(): 1.0}}
        except BrokerUnavailable:
            return {meters.REDIS_UP: {(): 0.0}}

    def _ask(self) -> dict[Meter, Series]:
        pipe = self._redis.pipeline(transaction=False)
        for step in STEPS:
            pipe.zcard(LedgerKeys.waiting(step))
            pipe.zcard(LedgerKeys.running(step))
        pipe.zcard(LedgerKeys.open)
        pipe.get(LedgerKeys.swept)
        pipe.time()
        pipe.zrange(LedgerKeys.workers, 0, -1, withscores=True)
        *counts, jobs, swept, (now_s, _), beats = pipe.execute()
        outstanding = {
            (queue,): float(sum(pair)) for queue, *pair in zip(STEPS.values(), counts[::2], counts[1::2], strict=True)
        }
        return {
            meters.OUTSTANDING: outstanding,
            meters.OPEN_JOBS: {(): float(jobs)},
            meters.SWEPT: {(): float(swept)} if swept else {},
            **_workers([member for member, beat_s in beats if beat_s > now_s - GONE_AFTER_S]),
        }


def _workers(members: list[str]) -> dict[Meter, Series]:
    workers, processes = (
        Counter[tuple[str, ...]](dict.fromkeys(((queue,) for queue in STEPS.values()), 0)) for _ in "12"
    )
    for _, queues, count in map(json.loads, members):
        for queue in {name.partition(".")[0] for name in queues}:
            workers[(queue,)] += 1
            processes[(queue,)] += count
    return {meters.WORKERS: dict(workers), meters.PROCESSES: dict(processes)}


def registry(url: str) -> CollectorRegistry:
    """The fleet's gauges, for `workers.telemetry.prometheus.page` or ``serve``.

    Args:
        url: of the fleet's Redis.
    """
    return registry_of(Gauges(FleetGauges(url)))
