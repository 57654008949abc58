"""The worker's connection to Redis: looked for often, a line in the log when it is lost and when it is back."""

import logging
import time
import warnings
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

log = logging.getLogger("posefleet")

warnings.filterwarnings("ignore", message="(?s).*optional breaking change", category=PendingDeprecationWarning)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 4.0


class PatientConsumer(Consumer):  # type: ignore[misc]
    """Celery's own waits up to 30 s between two looks, tells of each, and gives up after a hundred."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, however long it takes."""
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
        connected = conn.ensure_connection(tell, None, callback=maybe_shutdown, **pauses)
        if away:
            log.warning("Redis answers again after %.0f s", time.monotonic() - away[0])
        self.first_connection_attempt = False
        return connected
