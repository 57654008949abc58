"""A pool of real workers that an autoscaler drives by the metric of a real exporter, minutes being seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schema.names import QUEUE_INFER
from tests.support.autoscaler import Autoscaler
from tests.support.outstanding import Sampler
from tests.support.pods import Pods

_PAUSE_S = 0.02


@dataclass
class Cluster:
    """One loop: sample, see to the pods that stop, let the autoscaler decide when it is its time."""

    pods: Pods
    autoscaler: Autoscaler
    sampler: Sampler
    counts: list[int] = field(default_factory=lambda: [0])
    """How many pods there were to be, whenever that changed."""
    ready: int = 0
    """Most pods that were ready at a time."""
    stopped_busy: int = 0
    """Pods that were stopped while there was work."""
    _next_s: float = 0.0

    def run(self, over: Callable[[dict[str, float]], bool], patience_s: float) -> None:
        """Go on until ``over``, which is told what is outstanding by queue."""
        end = time.monotonic() + patience_s
        while True:
            assert time.monotonic() < end, f"pods so far: {self.counts}"
            self.pods.tend()
            self.ready = max(self.ready, sum(pod.ready for pod in self.pods.running))
            if outstanding := self.sampler.sample():
                if over(outstanding):
                    return
                self._look(outstanding[QUEUE_INFER])
            time.sleep(_PAUSE_S)

    def _look(self, outstanding: float) -> None:
        if (now_s := time.monotonic()) < self._next_s:
            return
        self._next_s = now_s + self.autoscaler.scaling.polling_s
        wanted = self.autoscaler.look(now_s, len(self.pods.running), outstanding)
        if wanted != self.counts[-1]:
            self.stopped_busy += max(0, self.counts[-1] - wanted) if outstanding else 0
            self.counts.append(wanted)
        self.pods.scale(wanted)
