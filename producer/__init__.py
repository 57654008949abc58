"""Ways into the fleet: enqueue, split, the command line, and the stack for one machine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.aio import AsyncFleet
    from producer.fleet import Fleet
    from producer.job import Job

__all__ = ["AsyncFleet", "Fleet", "Job"]

_MODULES = {"AsyncFleet": "aio", "Fleet": "fleet", "Job": "job"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: a worker process that imports its tasks needs none of it."""
    if name in _MODULES:
        return getattr(import_module(f"producer.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
