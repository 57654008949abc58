"""Gauges of the whole fleet, from one Lua call in Redis; what autoscalers and dashboards ask for."""

import json
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from schema.errors import BrokerUnavailable
from schema.names import LANES, STEPS, LedgerKeys
from workers.storage import scripts
from workers.storage.ledger import UNACKED
from workers.storage.progress import connect, translated
from workers.telemetry import meters
from workers.telemetry.meters import Meter
from workers.telemetry.prometheus import Gauges, Series, registry_of
from workers.telemetry.pulse import GONE_AFTER_S

_MOST_UNACKED = 2000
"""With more messages at work than these no queue's are counted one by one."""


class FleetGauges:
    """Asks Redis when somebody looks; says nothing but that, when it does not answer."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._look = self._redis.register_script(scripts.OUTSTANDING)

    def __call__(self) -> dict[Meter, Series]:
        """All gauges now."""
        try:
            with translated():
                return {**self._ask(), meters.REDIS_UP: {(): 1.0}}
        except BrokerUnavailable:
            return {meters.REDIS_UP: {(): 0.0}}

    def _ask(self) -> dict[Meter, Series]:
        sets = [key for step in STEPS for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step))]
        asked = [UNACKED, LedgerKeys.open, LedgerKeys.swept, LedgerKeys.workers, *sets]
        sizes, unacked, jobs, swept, now_s, beats = self._look(keys=asked, args=[_MOST_UNACKED])
        size = 1 + len(LANES)
        by_step = {step: sizes[size * i : size * (i + 1)] for i, step in enumerate(STEPS)}
        here = [member for member, beat_s in _pairs(beats) if float(beat_s) > int(now_s) - GONE_AFTER_S]
        return {
            meters.OUTSTANDING: _outstanding(by_step, dict(_pairs(unacked))),
            meters.OPEN_JOBS: _jobs(by_step, jobs),
            meters.SWEPT: {(): float(swept)} if swept else {},
            **_workers(here),
        }


def _pairs(flat: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _outstanding(by_step: dict[str, list[int]], unacked: dict[str, int]) -> Series:
    """Units that wait or run, and no fewer than there are messages that nobody has acknowledged."""
    return {(queue,): float(max(sum(by_step[step]), unacked.get(queue, 0))) for step, queue in STEPS.items()}


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
