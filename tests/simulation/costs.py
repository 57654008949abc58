"""Seconds that steps take and what they ask of servers. Every figure has its source."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """Seconds of one process for a unit: ``fixed_s + frames * frame_s``, or longer, where a device is shared."""

    fixed_s: float
    frame_s: float = 0.0
    shared_s: float = 0.0
    """Of the device for a frame, times the processes that share it: as if all of them were busy."""

    def of(self, frames: int) -> float:
        """Seconds for so many frames."""
        return max(self.fixed_s + frames * self.frame_s, frames * self.shared_s)


@dataclass(frozen=True)
class Costs:
    """Of a whole fleet."""

    steps: Mapping[str, Cost]
    """By queue; ``infer@gpu`` of pools with a GPU."""
    start_s: Mapping[str, float] = field(default_factory=dict)
    """From asking for a pod until it consumes, by pool; ``""`` of all others."""
    spread: float = 0.0
    """Standard deviation of a unit's time, as a share of its mean (log-normal)."""
    redis_s: float = 0.0
    """Of Redis's core for one unit."""
    redis_beat: float = 0.0
    """Of Redis's core per worker and second, work or not."""

    def seconds(self, queue: str, frames: int, *, gpu: bool, rng: random.Random) -> float:
        """How long one unit takes this time."""
        cost = self.steps.get(f"{queue}@gpu", self.steps[queue]) if gpu else self.steps[queue]
        mean = cost.of(frames)
        if not self.spread:
            return mean
        sigma = math.sqrt(math.log(1 + self.spread**2))
        return mean * rng.lognormvariate(-(sigma**2) / 2, sigma)

    def start(self, pool: str) -> float:
        """Seconds until a new pod of a pool consumes."""
        return self.start_s.get(pool, self.start_s.get("", 0.0))
