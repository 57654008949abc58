"""What a process of a worker holds: made when it is first asked for, and kept."""

from functools import cache, partial
from typing import TYPE_CHECKING

from schema.settings import current

if TYPE_CHECKING:
    from workers.storage.outage import Outage
    from workers.storage.port import ObjectStore
    from workers.storage.progress import Progress
    from workers.watch import Watch


@cache
def store() -> "ObjectStore":
    """This process's object store."""
    from workers.storage.s3 import S3Store

    return S3Store(current())


@cache
def progress() -> "Progress":
    """This process's view of the progress in Redis."""
    from workers.storage.progress import Progress

    return Progress(current().redis_url)


@cache
def watch() -> "Watch":
    """What stops this process's task when its job ends."""
    from workers.watch import Watch

    return Watch(progress())


@cache
def outages() -> "tuple[Outage, ...]":
    """The servers that a task can wait for."""
    from workers.storage.outage import Outage

    return Outage("Redis", progress().ping), Outage("object storage", partial(store().head, "ready"))
