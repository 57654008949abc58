"""Many videos at once: find them below a prefix or in a list, and make a job of each that has none."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from itertools import islice
from pathlib import PurePosixPath

from producer.fleet import Fleet
from producer.inputs import VIDEO_SUFFIXES
from producer.models import models_for
from producer.pictures import PICTURE_SUFFIXES, is_picture
from producer.uris import parse_uri
from schema.errors import PermanentError
from schema.messages import ModelIdentity, Priority, Source, VideoJob
from schema.names import JOBS
from schema.options import Options
from schema.pictures import SUFFIX
from workers.storage.port import ObjectInfo
from workers.storage.records import accept_new

_AT_ONCE = 500
_WRITERS = 16


@dataclass(frozen=True)
class Filter:
    """Which objects below a prefix are wanted."""

    include: tuple[str, ...] = ()
    """Patterns of which a name has to match one; none: whatever is named like a video."""
    exclude: tuple[str, ...] = ()
    """Patterns of which a name must match none."""
    since_s: float = 0.0
    """Last change, seconds since 1970."""

    def refuses(self, name: str, info: ObjectInfo) -> str:
        """Why an object is left out; empty when it is wanted. ``name`` is its key below the prefix."""
        suffix = PurePosixPath(name).suffix.lower()
        if any(_matches(name, pattern) for pattern in self.exclude):
            return "excluded"
        if self.include and not any(_matches(name, pattern) for pattern in self.include):
            return "not included"
        if suffix in PICTURE_SUFFIXES:
            return "pictures"
        if not self.include and suffix not in VIDEO_SUFFIXES:
            return "not named like videos"
        return "empty" if not info.size else "older" if info.modified_s < self.since_s else ""


def _matches(name: str, pattern: str) -> bool:
    """Whether the whole name fits, or, for a pattern without a slash, its last part."""
    return fnmatch(name, pattern) or ("/" not in pattern and fnmatch(PurePosixPath(name).name, pattern))


@dataclass
class Bulk:
    """What became of many objects."""

    found: int = 0
    new: int = 0
    known: int = 0
    """Had a job already."""
    size: int = 0
    """Bytes of all that were found."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Objects by why they are no jobs."""
    wrong: list[str] = field(default_factory=list)
    """Of lines of a list: what is wrong with each that names no object."""
    jobs: dict[str, str] = field(default_factory=dict)
    """URIs of all that were found, by the id of their job."""

    def lines(self) -> list[str]:
        """What to tell people."""
        size = f"{self.size / 1e9:,.1f} GB" if self.size > 1e9 else f"{self.size / 1e6:,.1f} MB"
        jobs = f": {self.new:,} new jobs, {self.known:,} had one" if self.new or self.known else ""
        left_out = self.left_out + Counter({"named wrongly": len(self.wrong)})
        return [f"{self.found:,} video{'s' * (self.found != 1)}, {size}{jobs}"] + [
            f"left out: {count:,} {why}" for why, count in sorted(left_out.items())
        ]


@dataclass(frozen=True)
class Order:
    """What is to be done with each video."""

    options: Options = field(default_factory=Options)
    model: str | None = None
    batch_frames: int | None = None
    submitter: str = ""
    priority: Priority = "normal"
    force: bool = False


def below(fleet: Fleet, uri: str, wanted: Filter, bulk: Bulk) -> Iterator[ObjectInfo]:
    """Wanted objects below ``s3://bucket/prefix/``; the others are counted.

    Raises:
        StorageUnavailable
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    for info in fleet.store.objects(prefix, bucket):
        if why := wanted.refuses(info.key[len(prefix) :], info):
            bulk.left_out[why] += not info.key.endswith("/")
        else:
            yield info


def listed(fleet: Fleet, lines: Iterable[str], bulk: Bulk) -> Iterator[ObjectInfo]:
    """The objects that a list names, a URI in each line; ``bulk.wrong`` says of the others what is wrong.

    Raises:
        StorageUnavailable
    """
    uris = (line.strip() for line in lines)
    wanted = (uri for uri in uris if uri and not uri.startswith("#"))
    with ThreadPoolExecutor(_WRITERS) as pool:
        while some := list(islice(wanted, _AT_ONCE)):
            for found in pool.map(partial(_looked_for, fleet), some):
                if isinstance(found, str):
                    bulk.wrong.append(found)
                else:
                    yield found


def _looked_for(fleet: Fleet, uri: str) -> ObjectInfo | str:
    """The object, or why it cannot be had."""
    if is_picture(uri):
        return f"{uri} is a picture: enqueue it by itself, or the prefix of all that belong together"
    try:
        bucket, key = parse_uri(uri)
        return fleet.store.head(key, bucket) or f"there is no {uri}"
    except PermanentError as error:
        return str(error)


def enqueue_all(
    fleet: Fleet, found: Iterable[ObjectInfo], order: Order, bulk: Bulk, tell: Callable[[Bulk], object] = lambda _: None
) -> Bulk:
    """Make a job of each object that has none; whoever is cut off begins again and finds what is there.

    Args:
        fleet: where to.
        found: objects as a listing gives them.
        order: what to do with each.
        bulk: the counts, which go up.
        tell: called after every some hundred objects.

    Raises:
        ConfigurationError, ModelError, StorageUnavailable, BrokerUnavailable
    """
    models = models_for(fleet.settings, order.model, order.options)
    known = set[str]() if order.force else set(fleet.store.folders(JOBS))
    with ThreadPoolExecutor(_WRITERS) as pool:
        for some in _some(found):
            jobs = {job.job_id: job for job in (_job(order, models, info) for info in some)}
            new = [job for job in jobs.values() if job.job_id not in known]
            written = list(pool.map(partial(accept_new, fleet.store), new))
            fleet.dispatch.start([job for job, first in zip(new, written, strict=True) if first])
            known |= jobs.keys()
            bulk.found, bulk.new = bulk.found + len(some), bulk.new + sum(written)
            bulk.known += len(some) - sum(written)
            bulk.size += sum(info.size for info in some)
            bulk.jobs |= {job.job_id: job.source.uri for job in jobs.values()}
            tell(bulk)
    return bulk


def _some(found: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """``found`` in pieces."""
    rest = iter(found)
    while piece := list(islice(rest, _AT_ONCE)):
        yield piece


def _job(order: Order, models: tuple[ModelIdentity, ModelIdentity | None], info: ObjectInfo) -> VideoJob:
    return VideoJob.accept(
        Source(bucket=info.bucket, key=info.key, etag=info.etag, size=info.size),
        order.options,
        models[0],
        refiner=models[1],
        pictures=info.key.endswith(SUFFIX),
        batch_frames=order.batch_frames,
        submitter=order.submitter,
        priority=order.priority,
        nonce=secrets.token_hex(8) if order.force else "",
    )
