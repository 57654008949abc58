"""What all workers share: Redis's one core, and the requests that object storage takes."""

from dataclasses import dataclass

from simpy import Environment


@dataclass
class Core:
    """Serves one after the other; what is always there (beats of workers) leaves less for the rest."""

    env: Environment
    free_s: float = 0.0
    served_s: float = 0.0
    always: float = 0.0
    """Share of its time that is taken in any case."""

    def delay(self, seconds: float) -> float:
        """Seconds until something that takes ``seconds`` is done, if it is asked for now."""
        takes = seconds / max(1e-6, 1.0 - self.always)
        self.free_s = max(self.env.now, self.free_s) + takes
        self.served_s += seconds
        return self.free_s - self.env.now
