"""What clients send to Redis, and when: MONITOR, read in a thread."""

import re
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import redis

from schema.queue import KEY_PREFIX
from workers.storage import scripts

_SCRIPTS = ("START", "FINISH", "ANNOUNCE", "PUT_BACK", "PULSE", "LANE", "UNLANE")
_UNIT = re.compile(r'"?([0-9a-f]{20})[-/](\d{8}-\d{8}|all)"?')


class Monitor:
    """Counts all commands, and keeps when units of work were sent, begun and finished."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url, decode_responses=True)
        self._names = {self._client.register_script(getattr(scripts, name)).sha: name for name in _SCRIPTS}
        self.sent: Counter[str] = Counter()
        """By command and what it is for."""
        self.inside: Counter[str] = Counter()
        """Commands that scripts ran inside Redis."""
        self.times: dict[tuple[str, str], float] = {}
        """When a unit (``job/unit``) was first sent (``LPUSH``), begun (``START``), done (``FINISH``); seconds."""
        self._over = False

    def __enter__(self) -> "Monitor":
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._client.ping()
        self._thread.join(5)
        with suppress(redis.RedisError):
            self._monitor.__exit__(None, None, None)

    def _listen(self) -> None:
        while not self._over:
            told = self._monitor.next_command()
            name, _, rest = told["command"].partition(" ")
            if told["client_type"] == "lua":
                self.inside[name.upper()] += 1
            else:
                self._note(told["time"], name.upper(), rest)

    def _note(self, time_s: float, name: str, rest: str) -> None:
        first = rest.partition(" ")[0]
        script = self._names.get(first, "") if name == "EVALSHA" else ""
        self.sent[f"{name} {script or _kind(first)}".strip()] += 1
        place = script or name
        if place in ("LPUSH", "START", "FINISH") and (found := _UNIT.search(rest.removeprefix(first))):
            self.times.setdefault((place, f"{found[1]}/{found[2]}"), time_s)

    def between(self, first: str, second: str) -> dict[str, float]:
        """Seconds from one place to another, by unit."""
        ends = {unit: time_s for (place, unit), time_s in self.times.items() if place == second}
        begun = {unit: time_s for (place, unit), time_s in self.times.items() if place == first}
        return {unit: ends[unit] - begun[unit] for unit in begun if unit in ends}


def _kind(key: str) -> str:
    """A key without what differs from job to job and worker to worker."""
    key = key.removeprefix(KEY_PREFIX)
    return key.rpartition("/")[2] if key.startswith("/") else key.partition(":")[0].partition(".")[0]
