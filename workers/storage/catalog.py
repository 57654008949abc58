"""The catalog: what people ask about jobs, and which lane each goes on. A cache of storage, in Redis."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from schema.catalog import JobInfo, JobPage, accepted_info, going_info
from schema.errors import ConfigurationError
from schema.manifest import State
from schema.messages import VideoJob
from schema.names import LANES, CatalogKeys, ProgressKeys
from workers.storage import scripts
from workers.storage.progress import translated

HIGH_AT_ONCE = 4
"""Jobs of a submitter that go first without being told to."""
_SHARED = LANES[1:]
_AT_ONCE = 500


class Catalog:
    """Every method raises `BrokerUnavailable` when Redis does not answer."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._lane = redis.register_script(scripts.LANE)
        self._unlane = redis.register_script(scripts.UNLANE)

    def lanes(self, jobs: Iterable[VideoJob]) -> list[str]:
        """The lanes of jobs that have not ended; the same at every call."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for job in jobs:
                keys = [CatalogKeys.lanes, CatalogKeys.submitters, CatalogKeys.of(job.submitter)]
                self._lane(keys, [job.job_id, job.submitter, job.priority, HIGH_AT_ONCE, *_SHARED], client=pipe)
            return list(map(str, pipe.execute()))

    def add(self, jobs: Iterable[VideoJob]) -> None:
        """Enter jobs that were accepted; those that are known stay as they are."""
        self.restore(accepted_info(job) for job in jobs)

    def restore(self, infos: Iterable[JobInfo]) -> None:
        """Enter jobs that Redis has forgotten; those that are known stay as they are."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for info in infos:
                pipe.hsetnx(CatalogKeys.jobs, info.job_id, info.model_dump_json())
                pipe.zadd(CatalogKeys.by_time, {info.job_id: info.created_s}, nx=True)
            pipe.execute()

    def end(self, info: JobInfo) -> None:
        """Note what a job has come to, and leave its lane."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(CatalogKeys.jobs, info.job_id, info.model_dump_json())
            pipe.zadd(CatalogKeys.by_time, {info.job_id: info.created_s})
            pipe.execute()
        self.leave(info.job_id)

    def leave(self, job_id: str) -> None:
        """A job has ended: its lane is free for others."""
        with translated():
            self._unlane(keys=[CatalogKeys.lanes, CatalogKeys.submitters], args=[job_id, CatalogKeys.of("")])

    def remove(self, job_id: str) -> None:
        """Forget a job."""
        with translated():
            self._redis.hdel(CatalogKeys.jobs, job_id)
            self._redis.zrem(CatalogKeys.by_time, job_id)
        self.leave(job_id)

    def get(self, job_id: str) -> JobInfo | None:
        """Where a job stands; none when Redis does not know it."""
        return next(iter(self.many([job_id])), None)

    def many(self, job_ids: Sequence[str]) -> list[JobInfo]:
        """Where jobs stand, in one round trip; those that Redis does not know are left out."""
        if not job_ids:
            return []
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(CatalogKeys.jobs, job_ids)
            for job_id in job_ids:
                pipe.hgetall(ProgressKeys(job_id).times)
            bodies, *times = pipe.execute()
        found = zip(bodies, times, strict=True)
        return [going_info(JobInfo.from_json(body), now) for body, now in found if body]

    def page(self, *, state: State | None, search: str, submitter: str | None, limit: int, cursor: str = "") -> JobPage:
        """Jobs that fit, the newest first.

        Args:
            state: only those.
            search: part of the URI or the id, in any case.
            submitter: only those of one.
            limit: most jobs.
            cursor: of the page before.

        Raises:
            ConfigurationError: the cursor is none of ours.
        """
        found: list[JobInfo] = []
        for info in self._newest_first(cursor):
            if _fits(info, state, search.lower(), submitter):
                found.append(info)
                if len(found) == limit:
                    return JobPage(jobs=tuple(found), cursor=f"{info.created_s!r}:{info.job_id}")
        return JobPage(jobs=tuple(found))

    def _newest_first(self, cursor: str) -> Iterator[JobInfo]:
        """All jobs after the one that a cursor names; jobs that are added meanwhile do not disturb."""
        created_s, last = _place(cursor)
        highest = f"{created_s!r}"
        start = 0
        while True:
            with translated():
                names = self._redis.zrange(
                    CatalogKeys.by_time, highest, "-inf", desc=True, byscore=True, offset=start, num=_AT_ONCE
                )
            for info in self.many(names):
                if last and info.created_s == created_s and info.job_id >= last:
                    continue
                yield info
            if len(names) < _AT_ONCE:
                return
            start += _AT_ONCE

    def unknown(self, job_ids: Iterable[str]) -> list[str]:
        """Those of ``job_ids`` that are not in the catalog."""
        asked = list(job_ids)
        missing: list[str] = []
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            with translated():
                known = self._redis.hmget(CatalogKeys.jobs, some)
            missing += [job_id for job_id, body in zip(some, known, strict=True) if body is None]
        return missing

    def is_whole(self) -> bool:
        """Whether all jobs of storage are in the catalog."""
        with translated():
            return bool(self._redis.exists(CatalogKeys.whole))

    def set_whole(self) -> None:
        """Note that they are."""
        with translated():
            self._redis.set(CatalogKeys.whole, "1")


def _place(cursor: str) -> tuple[float, str]:
    """When the last job of a page was accepted, and its id; the beginning for an empty cursor.

    Raises:
        ConfigurationError: it is none of ours.
    """
    created_s, _, last = cursor.partition(":")
    try:
        return (float(created_s), last) if cursor else (math.inf, "")
    except ValueError as error:
        raise ConfigurationError(f"{cursor!r} is no cursor: take that of the page before") from error


def _fits(info: JobInfo, state: State | None, search: str, submitter: str | None) -> bool:
    if state is not None and info.state is not state:
        return False
    if submitter is not None and info.submitter != submitter:
        return False
    return search in info.uri.lower() or search in info.job_id
