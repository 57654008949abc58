"""Gauges of the whole fleet, from one round trip to Redis; what autoscalers and dashboards ask for."""

import json

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from schema.errors import BrokerUnavailable
from schema.names import LANES, STEPS, LedgerKeys
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
            for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step)):
                pipe.zcard(key)
        pipe.zcard(LedgerKeys.open)
        pipe.get(LedgerKeys.swept)
        pipe.time()
        pipe.zrange(LedgerKeys.workers, 0, -1, withscores=True)
        *counts, jobs, swept, (now_s, _), beats = pipe.execute()
        size = 1 + len(LANES)
        by_step = {step: counts[size * i : size * (i + 1)] for i, step in enumerate(STEPS)}
        return {
            meters.OUTSTANDING: {(STEPS[step],): float(sum(found)) for step, found in by_step.items()},
            meters.OPEN_JOBS: _jobs(by_step, jobs),
            meters.SWEPT: {(): float(swept)} if swept else {},
            **_workers([member for member, beat_s in beats if beat_s > now_s - GONE_AFTER_S]),
        }


def _jobs(by_step: dict[str, list[int]], jobs: int) -> Series:
    """Open jobs by state: the steps of the whole job tell all but who infers and who renders."""
    planning, *queued = by_step["split"]
    counts = {"queued": sum(queued), "planning": planning}
    counts |= {"stitching": sum(by_step["stitch"]), "publishing": sum(by_step["publish"])}
    counts["working"] = max(0, jobs - sum(counts.values()))
    return {(state,): float(count) for state, count in counts.items()}


def _workers(members: list[str]) -> dict[Meter, Series]:
    workers: Series = {(queue,): 0.0 for queue in STEPS.values()}
    processes = dict(workers)
    for _, queues, count in map(json.loads, members):
        for queue in queues:
            workers[(queue,)] = workers.get((queue,), 0.0) + 1
            processes[(queue,)] = processes.get((queue,), 0.0) + count
    return {meters.WORKERS: workers, meters.PROCESSES: processes}


def collector(url: str) -> Collector:
    """The gauges of the fleet whose Redis is at ``url``, for a registry that has more to tell."""
    return Gauges(FleetGauges(url))


def registry(url: str) -> CollectorRegistry:
    """Them alone, for `workers.telemetry.prometheus.page` or ``serve``."""
    return registry_of(collector(url))
