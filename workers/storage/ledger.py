"""What the whole fleet has to do, as the sweeper sees it: which units are sent and running, and which got lost.

A message is lost when the ledger has its unit, but neither the queue nor any worker has it: a worker died between
taking it from the queue and noting that it did, or Redis lost its last second.
"""

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from schema.names import LANES, STEPS, LedgerKeys, ProgressKeys, queue_name
from schema.queue import KEY_PREFIX, unit_of
from workers.storage.progress import connect, frames_in, member, translated

log = logging.getLogger("posefleet")

UNACKED = f"{KEY_PREFIX}unacked"
"""Hash of the messages that workers have, by delivery, as kombu keeps it."""
_TAIL = 1000
"""Messages next in turn that are looked at: whoever came before them has been delivered."""
_LOCK_S = 30
_RENEWED_S = 5.0

Unit = tuple[str, str]
"""Job id and unit."""


class Ledger:
    """Every method raises `BrokerUnavailable` when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._run = ""

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the sweepers' lock for as long as it takes; false when another one has it.

        A thread renews it, so that of a sweeper that dies it is free soon.
        """
        lock = self._redis.lock(LedgerKeys.lock, timeout=_LOCK_S, blocking=False, thread_local=False)
        with translated():
            held = bool(lock.acquire())
        if not held:
            yield False
            return
        over = threading.Event()
        renewing = threading.Thread(target=_renew, args=(lock, over), name="sweepers-lock", daemon=True)
        renewing.start()
        try:
            yield True
        finally:
            over.set()
            renewing.join()
            with translated(), suppress(LockError):
                lock.release()

    def restarted(self) -> bool:
        """Whether this is another run of the server than at the last sweep: then the end of its memory may be lost."""
        with translated():
            self._run = str(self._redis.info("server").get("run_id", ""))
            return bool(self._redis.get(LedgerKeys.server) != self._run)

    def now(self) -> float:
        """The server's clock, seconds."""
        with translated():
            seconds, micros = self._redis.time()
        return float(seconds + micros / 1e6)

    def note_sweep(self) -> None:
        """Note that a sweep has ended now, of the run of the server that `restarted` has seen."""
        with translated():
            self._redis.set(LedgerKeys.server, self._run)
            self._redis.set(LedgerKeys.swept, self.now())

    def open_jobs(self) -> dict[str, float]:
        """Jobs that Redis knows to be under way, and when something last happened."""
        with translated():
            return dict(self._redis.zrange(LedgerKeys.open, 0, -1, withscores=True))

    def touch(self, job_id: str) -> None:
        """Note that a job was looked at."""
        with translated():
            self._redis.zadd(LedgerKeys.open, {job_id: self.now()})

    def close(self, job_id: str) -> None:
        """Forget all there is of a job but the note that it has ended, which stops what still runs."""
        with translated():
            self._redis.delete(*ProgressKeys(job_id).working)
            self._redis.zrem(LedgerKeys.open, job_id)

    def mark_done(self, job_id: str, step: str, units: Iterable[str]) -> None:
        """Enter finished units of a job that Redis has forgotten."""
        if found := list(units):
            keys = ProgressKeys(job_id)
            with translated():
                pipe = self._redis.pipeline(transaction=False)
                pipe.sadd(keys.done(step), *found)
                pipe.hset(keys.times, f"{step}:frames", sum(map(frames_in, found)))
                pipe.hsetnx(keys.times, f"{step}:end", self.now())
                pipe.execute()

    def alive(self, job_id: str, step: str, units: Iterable[str]) -> set[str]:
        """Those of ``units`` that wait or run."""
        asked = list(units)
        if not asked:
            return set()
        members = [member(job_id, unit) for unit in asked]
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step)):
                pipe.zmscore(key, members)
            found = pipe.execute()
        return {unit for unit, *scores in zip(asked, *found, strict=True) if any(s is not None for s in scores)}

    def running_jobs(self) -> set[str]:
        """Jobs of which anything is worked on."""
        with translated():
            found = [name for step in STEPS for name in self._redis.zrange(LedgerKeys.running(step), 0, -1)]
        return {name.partition("/")[0] for name in found}

    def drop(self, step: str, units: Iterable[Unit]) -> None:
        """Take units out of the ledger."""
        if members := [member(*unit) for unit in units]:
            with translated():
                for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step)):
                    self._redis.zrem(key, *members)

    def lost(self, step: str, after_s: float, visibility_s: float) -> list[Unit]:
        """Units whose message nobody has, ``after_s`` after it should have been on the queue or was taken from it.

        Who began longer ago than ``visibility_s`` and ``after_s`` should have been followed by somebody: Celery notes
        deliveries by the worker's clock, and one that is wrong would keep the message.
        """
        with translated():
            before = self.now() - after_s
            running = self._redis.zrangebyscore(LedgerKeys.running(step), "-inf", before)
            had, waiting = self._delivered(), list[str]()
            for lane in LANES:
                queued = self._next(step, lane)
                since = self._oldest(step, lane, queued)
                last = before if since is None else min(before, since - after_s)
                waiting += self._redis.zrangebyscore(LedgerKeys.waiting(step, lane), "-inf", last)
                had |= set(queued)
            stuck = self._redis.zrangebyscore(LedgerKeys.running(step), "-inf", before - visibility_s)
        found = [name for name in (*running, *waiting) if f"{step}-{name.replace('/', '-', 1)}" not in had]
        found += [name for name in stuck if name not in found]
        return [(job_id, unit) for job_id, _, unit in (name.partition("/") for name in found)]

    def _next(self, step: str, lane: str) -> list[str]:
        """Ids of the messages next in turn on a lane, the first one first."""
        found = self._redis.lrange(f"{KEY_PREFIX}{queue_name(STEPS[step], lane)}", -_TAIL, -1)
        return [_id(json.loads(body)) for body in reversed(found)]

    def _oldest(self, step: str, lane: str, queued: list[str]) -> float | None:
        """When the unit next in turn was sent; none when nothing is queued, 0 when that is not known."""
        if not queued:
            return None
        members = [member(*unit_of(each)[1:]) for each in queued]
        scores = self._redis.zmscore(LedgerKeys.waiting(step, lane), members)
        known = [score for score in scores if score is not None]
        return min(known) if known else 0.0

    def _delivered(self) -> set[str]:
        """Ids of the messages that workers have."""
        return {_id(json.loads(body)[0]) for body in self._redis.hvals(UNACKED)}


def _id(message: dict[str, Any]) -> str:
    return str(message.get("headers", {}).get("id", ""))


def _renew(lock: Lock, over: threading.Event) -> None:
    """Hold on to a lock until ``over``, or somebody else has it."""
    while not over.wait(_RENEWED_S):
        try:
            lock.reacquire()
        except LockError:
            return
        except (RedisError, OSError):
            log.debug("the sweepers' lock was not renewed", exc_info=True)
