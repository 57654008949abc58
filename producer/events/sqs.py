"""Notifications that wait on a queue of SQS: a message is deleted once its jobs are accepted."""

import logging
import time
from collections import OrderedDict

from producer.events.intake import Intake
from producer.events.parse import parse
from producer.fleet import Fleet
from schema.errors import PermanentError, TransientError
from workers.ready import beat
from workers.storage.outage import Outage
from workers.storage.sqs import LONGEST_WAIT_S, Message, MessageQueue

log = logging.getLogger("posefleet")

_PATIENCE_S = 20.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_REMEMBERED = 10_000


class Poller:
    """Takes uploads from one queue.

    What cannot be read, or is refused, is left to the queue's redrive policy.  While Redis, object storage or SQS is
    away nothing is received, so that waiting does not count as deliveries.
    """

    def __init__(self, fleet: Fleet, queue: MessageQueue) -> None:
        """Raises `ConfigurationError` or `ModelError` when the fleet is not set up to take uploads."""
        self._intake, self._queue = Intake(fleet), queue
        self._intake.require()
        self._servers = (
            Outage("Redis", fleet.progress.ping),
            Outage("object storage", lambda: fleet.store.head("ready")),
            Outage("SQS", queue.ping),
        )
        self._complained: OrderedDict[str, None] = OrderedDict()

    def run(self) -> None:
        """Go on until interrupted.

        Raises:
            ConfigurationError: there is no such queue, or it refuses these credentials.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            beat()
            self._await_servers()
            try:
                self.turn()
                pause_s = _FIRST_PAUSE_S
            except TransientError as error:
                log.warning("messages stay on the queue: %s", error)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def turn(self, wait_s: int = LONGEST_WAIT_S) -> int:
        """Take what one request gives; how many messages were done with.

        Raises:
            ConfigurationError: see `run`.
            QueueUnavailable, StorageUnavailable, BrokerUnavailable
        """
        done: list[Message] = []
        try:
            done.extend(message for message in self._queue.receive(wait_s) if self._accepted(message))
        finally:
            self._queue.delete(done)
        return len(done)

    def _accepted(self, message: Message) -> bool:
        beat()
        try:
            for upload in parse(message.body):
                self._intake.take(upload)
        except PermanentError as error:
            self._complain(message.message_id, error)
            return False
        return True

    def _complain(self, message_id: str, error: PermanentError) -> None:
        """One line for a message, however often it comes."""
        if message_id not in self._complained:
            log.warning("message %s is left to the queue's redrive policy: %s", message_id, error)
        self._complained[message_id] = None
        if len(self._complained) > _REMEMBERED:
            self._complained.popitem(last=False)

    def _await_servers(self) -> None:
        for server in self._servers:
            server.wait(_PATIENCE_S)
            while server.lasts:
                beat()
                server.wait(_PATIENCE_S)
