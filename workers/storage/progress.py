"""Progress of jobs in Redis, as tasks see it: who is done, who goes on, how often a unit was started.

A cache: it may be wiped at any time, `producer.sweep` makes it anew from storage.  A *unit* is a frame range, or
``all`` for the steps of a whole job.  What was sent and what is worked on stands in the ledger (`LedgerKeys`).
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import redis
from redis.exceptions import OutOfMemoryError, RedisError

from schema.errors import BrokerUnavailable, JobEnded
from schema.manifest import StepReport
from schema.names import WHOLE, LedgerKeys, ProgressKeys
from schema.queue import KEEPALIVE
from schema.speed import reports
from workers.storage import scripts

KEPT_S = 14 * 86_400
_CLAIM_S = 60
_MOST_AT_ONCE = 1000


class Turn(Enum):
    """What a task may do."""

    GO = "go"
    ENDED = "the job has ended"
    TAKEN = "another process works on it"


@dataclass(frozen=True)
class Start:
    """Answer to a task that wants to begin."""

    turn: Turn
    attempt: int = 0
    """Starts of the unit so far, this one included."""


def connect(url: str) -> Any:
    """A client whose calls end in time."""
    return redis.Redis.from_url(
        url,
        socket_timeout=4,
        socket_connect_timeout=5,
        socket_keepalive=True,
        socket_keepalive_options=KEEPALIVE,
        health_check_interval=5,
        decode_responses=True,
    )


class Progress:
    """Counters and sets of jobs. Every method raises `BrokerUnavailable` when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self._start = self.redis.register_script(scripts.START)
        self._put_back = self.redis.register_script(scripts.PUT_BACK)
        self._finish = self.redis.register_script(scripts.FINISH)
        self._announce = self.redis.register_script(scripts.ANNOUNCE)
        self._begin = self.redis.register_script(scripts.BEGIN)
        self._reopen = self.redis.register_script(scripts.REOPEN)

    def announce(self, job_id: str, step: str, units: Iterable[str], *, lane: str = "", again: bool = False) -> None:
        """Enter units in the ledger; to be called before their messages are sent.

        Args:
            job_id: the job.
            step: the step.
            units: of the job.
            lane: of the queue that they are sent to.
            again: they are sent once more, as their messages were lost, and the job has not ended: should Redis say so,
                that is what is left of a deleted one.
        """
        members = [member(job_id, unit) for unit in units]
        keys = _announced(step, lane)
        with translated():
            if again:
                self.redis.delete(ProgressKeys(job_id).ended)
            for first in range(0, len(members), _MOST_AT_ONCE):
                batch = members[first : first + _MOST_AT_ONCE]
                self._announce(keys=keys, args=[job_id, int(again), *batch])

    def announce_jobs(self, job_ids: Iterable[str], step: str, lane: str) -> None:
        """Enter the first step of many jobs in the ledger; to be called before their messages are sent.

        A job that was deleted and comes again begins anew.
        """
        keys = _announced(step, lane)
        with translated():
            pipe = self.redis.pipeline(transaction=False)
            for job_id in job_ids:
                self._begin(keys=_left_over(job_id), client=pipe)
                self._announce(keys=keys, args=[job_id, 0, member(job_id, WHOLE)], client=pipe)
            pipe.execute()

    def begin_anew(self, job_id: str) -> None:
        """Should Redis say that a job has ended which has not, forget that, and all else: a deleted one left it."""
        with translated():
            self._begin(keys=_left_over(job_id))

    def start(
        self,
        job_id: str,
        step: str,
        unit: str,
        *,
        fresh: bool,
        within_s: float,
        redelivered: bool = False,
        most_stumbles: int = 0,
    ) -> Start:
        """Ask for a turn at a unit.

        Args:
            job_id: the job.
            step: the step.
            unit: of the job.
            fresh: the message comes for the first time: then it is not worked on twice at once.
            within_s: whoever began longer ago than this does not count.
            redelivered: Redis took the message back from a worker that is gone: where it was at the unit, that is a
                stumble and no attempt.
            most_stumbles: of one unit; from then on they are attempts.
        """
        keys, name = ProgressKeys(job_id), member(job_id, unit)
        about_job = [keys.attempts, keys.times, keys.ended, keys.done(step)]
        used = [LedgerKeys.running(step), LedgerKeys.open, *about_job, *LedgerKeys.all_waiting(step)]
        about_unit = [name, job_id, step, f"{step}:{unit}", int(fresh), within_s, KEPT_S, unit, _caller()]
        with translated():
            said = int(self._start(keys=used, args=[*about_unit, int(redelivered), most_stumbles]))
        return Start(Turn.GO, said) if said > 0 else Start(Turn.ENDED if said < 0 else Turn.TAKEN)

    def reconnect(self) -> None:
        """Use new connections from now on: those that are there may be dead, and each would cost a timeout."""
        self.redis.connection_pool.disconnect(inuse_connections=False)

    def put_back(
        self, job_id: str, step: str, unit: str, delay_s: float, why: str, *, stumbled: bool | None, lane: str = ""
    ) -> int:
        """Note that a unit is tried again later; how often it has stumbled so far.

        Args:
            job_id: the job.
            step: the step.
            unit: of the job.
            delay_s: when its message will be on the queue.
            why: goes into the dead letter, if there will be one.
            stumbled: none leaves the start counted as an attempt; else it is none, and true counts as a stumble.
            lane: on which its message will be.
        """
        keys, name = ProgressKeys(job_id), member(job_id, unit)
        ledger = [LedgerKeys.waiting(step, lane), LedgerKeys.running(step), LedgerKeys.open]
        used = [*ledger, keys.attempts, keys.notes]
        forgiven, counted = int(stumbled is not None), int(bool(stumbled))
        with translated():
            arguments: list[Any] = [name, job_id, f"{step}:{unit}", delay_s, why, forgiven, counted, KEPT_S]
            return int(self._put_back(keys=used, args=arguments))

    def note(self, job_id: str, step: str, unit: str) -> str:
        """What the last attempt of a unit ended with; empty when nothing is known."""
        with translated():
            return str(self.redis.hget(ProgressKeys(job_id).notes, f"{step}:{unit}") or "")

    def finish(
        self,
        job_id: str,
        step: str,
        unit: str,
        units: int,
        following: str | None = None,
        *,
        lane: str = "",
        spent: Mapping[str, float] = MappingProxyType({}),
    ) -> bool:
        """Mark a unit as done; true for the one caller that may go on to ``following``, announced on ``lane``.

        Whoever went on and died can be followed by another after a minute.

        Args:
            job_id: the job.
            step: the step.
            unit: of the job.
            units: how many there are.
            following: step of the whole job.
            lane: on which it will wait.
            spent: seconds by name, added up in the job's ``times`` when the unit is done for the first time.

        Raises:
            JobEnded: the job has ended meanwhile.
        """
        keys = ProgressKeys(job_id)
        used = [LedgerKeys.running(step), LedgerKeys.open, keys.done(step), keys.claim(step), keys.times]
        lanes = LedgerKeys.all_waiting(step)
        arguments: list[Any] = [member(job_id, unit), job_id, unit, units, _CLAIM_S, KEPT_S, step]
        follows = member(job_id, "all") if following else ""
        noted = [each for name, seconds in spent.items() for each in (name, f"{seconds:.6f}")]
        with translated():
            said = int(
                self._finish(
                    keys=[*used, LedgerKeys.waiting(following or step, lane), keys.ended, *lanes],
                    args=[*arguments, follows, _caller(), frames_in(unit), *noted],
                )
            )
        if said < 0:
            raise JobEnded(f"job {job_id} ended while {step} {unit} was under way")
        return bool(said)

    def leave(self, job_id: str, step: str, unit: str) -> None:
        """Note that nobody works on a unit any more."""
        with translated():
            self.redis.zrem(LedgerKeys.running(step), member(job_id, unit))

    def reopen(self, job_id: str, step: str, unit: str, units: int) -> bool:
        """Take a unit out of those done, unless the step is complete; whether that was possible."""
        keys = ProgressKeys(job_id)
        with translated():
            used = [keys.done(step), keys.attempts, keys.times]
            return bool(self._reopen(keys=used, args=[unit, units, f"{step}:{unit}", step, frames_in(unit)]))

    def end(self, job_id: str) -> None:
        """Note that the job has ended: what still runs for it stops."""
        with translated():
            pipe = self.redis.pipeline(transaction=False)
            pipe.set(ProgressKeys(job_id).ended, "1", ex=KEPT_S)
            pipe.zrem(LedgerKeys.open, job_id)
            pipe.publish(LedgerKeys.channel, job_id)
            pipe.execute()

    def is_ended(self, job_id: str) -> bool:
        """Whether somebody noted that the job has ended."""
        with translated():
            return bool(self.redis.exists(ProgressKeys(job_id).ended))

    def done(self, job_id: str, step: str) -> set[str]:
        """Units of a step that are done."""
        with translated():
            return set(self.redis.smembers(ProgressKeys(job_id).done(step)))

    def planned(self, job_id: str, frames: int) -> None:
        """Note how many frames there are."""
        with translated():
            self.redis.hset(ProgressKeys(job_id).times, "frames", frames)

    def steps(self, job_id: str, frames: int) -> dict[str, StepReport]:
        """How long each step took, and what with, as far as it is known; ``frames`` of the job."""
        with translated():
            return reports(self.redis.hgetall(ProgressKeys(job_id).times), frames)

    def outstanding(self, step: str) -> int:
        """Units of all jobs that wait or run."""
        with translated():
            pipe = self.redis.pipeline(transaction=False)
            for key in (LedgerKeys.running(step), *LedgerKeys.all_waiting(step)):
                pipe.zcard(key)
            return sum(pipe.execute())

    def ping(self) -> bool:
        """Whether Redis answers, and has room."""
        with translated():
            return bool(self.redis.set(LedgerKeys.probe, "1", ex=_CLAIM_S))


def member(job_id: str, unit: str) -> str:
    """A unit of a job as the ledger has it."""
    return f"{job_id}/{unit}"


def frames_in(unit: str) -> int:
    """Frames of a unit; 0 for the whole job."""
    start, dash, stop = unit.partition("-")
    return int(stop) - int(start) if dash else 0


def _left_over(job_id: str) -> list[str]:
    keys = ProgressKeys(job_id)
    return [keys.ended, *keys.working]


def _announced(step: str, lane: str) -> list[str]:
    waiting = LedgerKeys.waiting(step, lane)
    return [LedgerKeys.running(step), LedgerKeys.open, waiting, *LedgerKeys.all_waiting(step)]


def _caller() -> str:
    return secrets.token_hex(8)


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis's errors into ours."""
    try:
        yield
    except OutOfMemoryError as error:
        raise BrokerUnavailable("Redis is full: give it more memory, or wait until work is done") from error
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis did not answer: {type(error).__name__}: {error}") from error
