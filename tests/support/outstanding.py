"""What the exporter says is outstanding, held against what Redis holds meanwhile."""

import json
import re
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schema.names import STEPS, LedgerKeys
from schema.queue import unit_of

_TOLD = re.compile(r'^posefleet_outstanding\{queue="(\w+)"\} (\S+)$', re.MULTILINE)


def told(address: str) -> dict[str, float]:
    """``posefleet_outstanding`` by queue, as an autoscaler reads it."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return {queue: float(value) for queue, value in _TOLD.findall(answer.read().decode())}


@dataclass
class Sampler:
    """Asks the exporter between two looks at Redis.

    What was there at both looks, and was not done at the second, was there when the exporter answered.
    """

    address: str
    redis: Any
    samples: int = 0
    silent: int = 0
    """Samples in which the exporter did not know: Redis had not answered it in time."""
    busy: int = 0
    """Samples with work that was unacknowledged all the while."""
    too_low: list[str] = field(default_factory=list)
    """Samples in which the exporter said less than there was."""

    def sample(self) -> dict[str, float]:
        """Look once; what the exporter says, by queue, and nothing when it does not know."""
        before = self._unacked(), self._ledger()
        found = told(self.address)
        unacked, ledger = before[0] & self._unacked(), before[1].items() & self._ledger().items()
        self.samples += 1
        if not found:
            self.silent += 1
            return found
        self.busy += bool(unacked)
        self._compare("unacknowledged", Counter(map(_queue, unacked)), found)
        self._compare("in the ledger", Counter(STEPS[step] for (step, _, _), _ in ledger), found)
        return found

    def _compare(self, what: str, there: Counter[str], found: dict[str, float]) -> None:
        self.too_low += [
            f"sample {self.samples}: {queue} {found[queue]:g}, {count} {what}"
            for queue, count in there.items()
            if found[queue] < count
        ]

    def _unacked(self) -> set[str]:
        """Ids of the messages that workers have."""
        return {json.loads(body)[0]["headers"]["id"] for body in self.redis.hvals("posefleet:unacked")}

    def _ledger(self) -> dict[tuple[str, str, str], float]:
        """Since when units wait or run, by step, set and unit."""
        keys = [(step, key) for step in STEPS for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step))]
        pipe = self.redis.pipeline()
        for _, key in keys:
            pipe.zrange(key, 0, -1, withscores=True)
        members = zip(keys, pipe.execute(), strict=True)
        return {(step, key, unit): since for (step, key), found in members for unit, since in found}


def _queue(task_id: str) -> str:
    return STEPS[unit_of(task_id)[0]]
