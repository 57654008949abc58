"""Say that this worker is there: its name, queues and number of processes, in Redis, every few seconds."""

import json
import threading
from contextlib import suppress

from schema.errors import BrokerUnavailable
from schema.names import LedgerKeys
from workers.storage import scripts
from workers.storage.progress import connect, translated

BEAT_S = 15
GONE_AFTER_S = 60
"""Who has not shown up for so long is not counted."""


class Pulse:
    """Shows up in a thread, from its beginning to its end."""

    def __init__(self, url: str, name: str, queues: list[str], processes: int) -> None:
        self._redis = connect(url)
        self._beat = self._redis.register_script(scripts.PULSE)
        self._member = json.dumps([name, sorted({queue.partition(".")[0] for queue in queues}), processes])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(BrokerUnavailable), translated():
                self._beat(keys=[LedgerKeys.workers], args=[self._member, GONE_AFTER_S])
            self._over.wait(BEAT_S)

    def end(self) -> None:
        """Say that this worker is gone."""
        self._over.set()
        self._thread.join(1)
        with suppress(BrokerUnavailable), translated():
            self._redis.zrem(LedgerKeys.workers, self._member)
