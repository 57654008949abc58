"""Ways into the fleet: enqueue, split, the command line, and the stack for one machine."""

from producer.fleet import Fleet, Job

__all__ = ["Fleet", "Job"]
