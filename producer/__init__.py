"""Ways into the fleet: enqueue, split, the command line, and the stack for one machine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.fleet import Fleet
    from producer.job import Job

__all__ = ["Fleet", "Job"]


def __getattr__(name: str) -> Any:
    """Import `Fleet` and `Job` when asked for: a worker process that imports its tasks needs neither."""
    if name in __all__:
        return getattr(import_module(f"producer.{name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
