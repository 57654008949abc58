"""Wait while a server is away, without spinning and without a flood of lines in the log."""

import logging
import random
import time
from collections.abc import Callable

from schema.errors import TransientError

log = logging.getLogger("posefleet")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Outage:
    """What this process knows of one server: two lines in the log for each time it is away."""

    def __init__(self, server: str, probe: Callable[[], object]) -> None:
        self._server = server
        self._probe = probe
        self._since: float | None = None
        self._said = ""

    def wait(self, patience_s: float, *, sure: bool = False) -> bool:
        """Wait until the server answers or ``patience_s`` have passed; whether it was away at all.

        Args:
            patience_s: longest wait.
            sure: raise the probe's last error when it did not answer.
        """
        if self._answers():
            return self._back()
        if self._since is None:
            self._since = time.monotonic()
            log.warning("%s is away: waiting; %s", self._server, self._said)
        end, pause = time.monotonic() + patience_s, _FIRST_PAUSE_S
        while time.monotonic() < end:
            time.sleep(random.uniform(0.5, 1.0) * min(pause, max(0.0, end - time.monotonic())))
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            if self._answers():
                return self._back()
        if sure:
            self._probe()
        return True

    @property
    def lasts(self) -> bool:
        """Whether the server did not answer when last asked."""
        return self._since is not None

    def _answers(self) -> bool:
        try:
            self._probe()
        except TransientError as error:
            self._said = str(error)
            return False
        return True

    def _back(self) -> bool:
        if self._since is None:
            return False
        log.warning("%s is back after %.0f s", self._server, time.monotonic() - self._since)
        self._since = None
        return True
