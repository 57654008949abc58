"""The safety net: watched prefixes are listed now and then, and what no event told of is taken."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from producer.events.intake import Intake, version
from producer.events.parse import Upload
from producer.events.watched import Watched
from producer.fleet import Fleet
from schema.errors import PermanentError
from schema.names import TAKEN

_AT_ONCE, _PIECE = 8, 100


@dataclass
class Listed:
    """What one look found."""

    seen: int = 0
    """Videos below the watched prefixes."""
    jobs: list[str] = field(default_factory=list)
    """Jobs of those that no event had told of."""
    errors: dict[str, str] = field(default_factory=dict)
    """Prefixes that could not be looked at to their end, and why."""
    complete: bool = True
    """False when time was over before everything was looked at."""

    def lines(self) -> list[str]:
        """What to tell people."""
        said = [f"enqueued: {len(self.jobs)} videos of which no event had told"] if self.jobs else []
        return said + [f"not listed to its end: {uri}: {why}" for uri, why in self.errors.items()]


class Listing:
    """Looks at the watched prefixes of one fleet.

    A look costs a request for every thousand videos, and one more for every thousand that were taken: etags of a
    listing are those of a HEAD.
    """

    def __init__(self, fleet: Fleet) -> None:
        """Raises `ConfigurationError` or `ModelError` when the fleet is not set up to take uploads."""
        self._fleet, self._intake = fleet, Intake(fleet)
        self._intake.require()

    def look(self, most_s: float = float("inf")) -> Listed:
        """Enqueue what was not taken yet, for at most ``most_s`` seconds.

        Raises:
            StorageUnavailable, BrokerUnavailable
        """
        listed, end = Listed(), time.monotonic() + most_s
        taken = set(self._fleet.store.folders(TAKEN))
        for watched in self._intake.watched:
            self._look_at(watched, taken, listed, end)
        return listed

    def _look_at(self, watched: Watched, taken: set[str], listed: Listed, end: float) -> None:
        missed = self._missed(watched, taken, listed)
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                while some := list(islice(missed, _PIECE)):
                    if time.monotonic() > end:
                        listed.complete = False
                        return
                    listed.jobs += filter(None, pool.map(self._intake.take, some))
        except PermanentError as error:
            listed.errors[watched.uri] = str(error)

    def _missed(self, watched: Watched, taken: set[str], listed: Listed) -> Iterator[Upload]:
        """Videos below a prefix that were not taken."""
        for found in self._fleet.store.objects(watched.prefix, watched.bucket):
            upload = Upload(found.bucket, found.key, found.etag, found.size)
            if self._intake.wants(upload):
                listed.seen += 1
                if version(upload.uri, found.etag) not in taken:
                    yield upload
