"""Ways into the fleet: enqueue, split, the command line, and the stack for one machine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.fleet import Fleet, Job

__all__ = ["Fleet", "Job"]


def __getattr__(name: str) -> Any:
    """Import `Fleet` and `Job` when asked for: a worker process that imports its tasks needs neither."""
    if name in __all__:
        from producer import fleet

        return getattr(fleet, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
