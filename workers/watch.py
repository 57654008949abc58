"""Stop a running task when its job ends: cancelled, deleted, or failed by another batch."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from schema.errors import BrokerUnavailable, JobEnded
from schema.names import LedgerKeys
from workers.storage import known
from workers.storage.progress import Progress, translated

_SIGNAL = signal.SIGUSR2
_LISTEN_S = 5.0
_PAUSE_S = 1.0


class Watch:
    """Listens for the end of jobs in a thread, and interrupts the main thread as a soft time limit does."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._job_id: str | None = None
        self._armed = False
        """Whether the main thread is inside the block."""
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def over(self, job_id: str) -> Iterator[None]:
        """Raise `JobEnded` inside the block when the job ends; does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._listen()
        self._job_id, self._armed = job_id, True
        try:
            yield
        finally:
            self._armed = False
            with self._lock:
                self._job_id = None

    def rest(self) -> None:
        """The task ends its job itself: it need not be told."""
        self._armed = False
        with self._lock:
            self._job_id = None

    def _listen(self) -> None:
        if self._thread is None:
            signal.signal(_SIGNAL, self._stop)
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailable):
                self._follow()
            time.sleep(_PAUSE_S)

    def _follow(self) -> None:
        """Read the channel until Redis goes away."""
        with translated(), self._progress.redis.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(LedgerKeys.channel)
            known.forget()
            if (job_id := self._job_id) and self._progress.is_ended(job_id):
                self._interrupt(job_id)
            while True:
                message = channel.get_message(timeout=_LISTEN_S)
                if message is not None:
                    self._interrupt(message["data"])
                    known.forget(message["data"])

    def _interrupt(self, job_id: str) -> None:
        with self._lock:
            if self._job_id == job_id:
                self._job_id = None
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise JobEnded("the job ended while this worked on it")
