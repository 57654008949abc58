"""Progress of jobs in Redis: who is done, who goes on, how often a unit was started. A cache: it may be wiped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.exceptions import RedisError

from schema.errors import BrokerUnavailable
from schema.names import ProgressKeys

_KEPT_S = 14 * 86_400
_CLAIM_S = 60

#: Mark a unit as done; 1 for the one caller that completes the step, until its claim expires.
_FINISH = """
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local now = redis.call('TIME')
redis.call('HSET', KEYS[3], ARGV[5] .. ':end', now[1] .. '.' .. string.format('%06d', now[2]))
redis.call('EXPIRE', KEYS[3], ARGV[4])
if redis.call('SCARD', KEYS[1]) < tonumber(ARGV[2]) then return 0 end
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return 1 end
return 0
"""

#: Count a start of a unit; note the step's first start.
_START = """
local now = redis.call('TIME')
redis.call('HSETNX', KEYS[2], ARGV[2] .. ':start', now[1] .. '.' .. string.format('%06d', now[2]))
redis.call('EXPIRE', KEYS[2], ARGV[1])
local count = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return count
"""


class Progress:
    """Counters and sets of jobs. Every method raises `BrokerUnavailable` when Redis does not answer."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=15, socket_connect_timeout=5, health_check_interval=5, decode_responses=True
        )
        self._finish = self._redis.register_script(_FINISH)
        self._start = self._redis.register_script(_START)

    def start(self, job_id: str, step: str, unit: str) -> int:
        """Note that a unit of work begins; how often it has begun so far, this time included."""
        keys = ProgressKeys(job_id)
        with _translated():
            return int(self._start(keys=[keys.attempts(step, unit), keys.times], args=[_KEPT_S, step]))

    def take_back(self, job_id: str, step: str, unit: str) -> None:
        """Do not count the last start: it ended for a reason outside the unit."""
        with _translated():
            self._redis.decr(ProgressKeys(job_id).attempts(step, unit))

    def finish(self, job_id: str, step: str, unit: str, units: int) -> bool:
        """Mark a unit as done; true for the one caller that may go on to what follows the step."""
        keys = ProgressKeys(job_id)
        with _translated():
            arguments: list[str | int] = [unit, units, _CLAIM_S, _KEPT_S, step]
            return bool(self._finish(keys=[keys.done(step), keys.claim(step), keys.times], args=arguments))

    def done(self, job_id: str, step: str) -> set[str]:
        """Units of a step that are done."""
        with _translated():
            return set(self._redis.smembers(ProgressKeys(job_id).done(step)))

    def started(self, job_id: str) -> set[str]:
        """Steps that have begun."""
        with _translated():
            stored = self._redis.hkeys(ProgressKeys(job_id).times)
        return {name.removesuffix(":start") for name in stored if name.endswith(":start")}

    def times(self, job_id: str) -> dict[str, tuple[float, float]]:
        """First start and last end of each step that has both, seconds of the server's clock."""
        with _translated():
            stored: dict[str, str] = self._redis.hgetall(ProgressKeys(job_id).times)
        steps = [name.removesuffix(":start") for name in stored if name.endswith(":start")]
        return {
            step: (float(stored[f"{step}:start"]), float(stored[f"{step}:end"]))
            for step in steps
            if f"{step}:end" in stored
        }

    def ping(self) -> bool:
        """Whether Redis answers."""
        with _translated():
            return bool(self._redis.ping())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis did not answer: {type(error).__name__}: {error}") from error
