"""Celery's consumer, changed in how it waits for Redis and in what it does about tasks that a stopped worker leaves."""

import logging
import time
import warnings
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import active_requests, maybe_shutdown
from redis.exceptions import OutOfMemoryError

from schema import broker
from workers import held
from workers.garbage import give_back
from workers.ready import beat
from workers.requests import note_put_back
from workers.storage.outage import Outage

log = logging.getLogger("posefleet")

warnings.filterwarnings("ignore", message="(?s).*optional breaking change", category=PendingDeprecationWarning)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 4.0
_EVENTS_WAIT_S = 0.5
"""What is told of tasks goes out in one message for so long."""


def _go_on() -> None:
    """Between two looks at a server that is away."""
    beat()
    maybe_shutdown()


class PatientConsumer(Consumer):  # type: ignore[misc]
    """Celery's own waits up to 30 s between two looks, tells of each, and gives up after a hundred."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connection_errors = (*self.connection_errors, OutOfMemoryError)  # type: ignore[has-type]
        self._room = Outage("Redis", held.progress().ping)
        self._tells_at = 0.0
        self._ticks: set[Any] = set()
        broker.hold_fewer_by(self._missing)

    def _missing(self) -> int:
        """Processes of the pool that have not started yet, or not loaded what they need."""
        started = getattr(getattr(self.pool, "_pool", None), "_all_inqueues", None)
        return 0 if started is None else max(0, self.pool.num_processes - len(started))

    def on_send_event_buffered(self) -> None:
        """Send events of tasks soon, all at once; Celery sends each in the next turn of its loop."""
        if (now_s := time.monotonic()) >= self._tells_at:
            self._tells_at = now_s + _EVENTS_WAIT_S
            self.hub.call_later(_EVENTS_WAIT_S, self._flush_events)

    def shutdown(self) -> None:
        """Tell what is left to tell, then end."""
        self._flush_events()
        super().shutdown()

    def cancel_active_requests(self) -> None:
        """Hand what runs on to others, before this worker ends: being stopped is no attempt."""
        for request in list(active_requests):
            note_put_back(request, "its worker was stopped", stumbled=False)
        super().cancel_active_requests()

    def connect(self) -> Any:
        """Connect, and forget the connection before: kombu leaves what it does in every turn of the loop behind, which
        keeps all of that connection, and its circles of objects would wait for Python's rare full collection."""
        ticks = self.hub.on_tick
        if self._ticks:
            ticks -= self._ticks
            give_back()
        before = set(ticks)
        connection = super().connect()
        self._ticks = ticks - before
        return connection

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, however long it takes, and wait until there is room: a message that is taken has to be noted."""
        away: list[float] = []

        def tell(error: BaseException, _pause_s: float) -> None:
            if not away:
                log.warning("cannot reach Redis at %s, waiting: %s", conn.as_uri(), error)
                away.append(time.monotonic())

        pauses = {
            "interval_start": _FIRST_PAUSE_S,
            "interval_step": _FIRST_PAUSE_S,
            "interval_max": _LONGEST_PAUSE_S,
        }
        connected = conn.ensure_connection(tell, None, callback=_go_on, **pauses)
        if not self.first_connection_attempt:  # type: ignore[has-type]
            held.progress().reconnect()
        if away:
            log.warning("Redis answers again after %.0f s", time.monotonic() - away[0])
        while self._room.wait(_LONGEST_PAUSE_S) and self._room.lasts:
            _go_on()
        self.first_connection_attempt = False
        return connected
