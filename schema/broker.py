"""Kombu's Redis transport, with half the commands to note a delivery and to acknowledge it: no transaction around two.

Redis runs the two commands of a round trip one after the other.  Should it die between them, the entry of the index
is what is left: kombu restores nothing for it, and forgets it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps
from redis.exceptions import ResponseError

log = logging.getLogger("posefleet")

AHEAD = "ahead"
"""Header of messages that are put on their queue to be taken next."""
_TRIES = 2
"""Of what settles a message: the first one may take a connection that is stale."""


def _missing() -> int:
    return 0


def hold_fewer_by(missing: Callable[[], int]) -> None:
    """Have consumers with a prefetch limit hold fewer messages at a time, by the number that ``missing`` gives."""
    global _missing
    _missing = missing


class QoS(redis.QoS):  # type: ignore[misc]
    """What was delivered and is not acknowledged yet.

    Kombu keeps what it could not acknowledge, for ever if its other connections are sound, and a worker that holds as
    many messages as it may takes no more.  Here it lets go of it: the message comes again, and is known to be done.
    So, too, when Redis refuses: while it is full nothing goes back on a queue.
    """

    def can_consume(self) -> bool:
        """Whether to ask for a message: one that nobody here is ready for would wait, where another worker may be."""
        held = len(self._delivered) - len(self._dirty)
        return bool(super().can_consume() and (not self.prefetch_count or held < self.prefetch_count - _missing()))

    def ack(self, delivery_tag: str) -> None:
        """Have Redis forget a message that is done."""
        self._settle(delivery_tag, lambda: super(QoS, self).ack(delivery_tag))

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Have Redis forget a message, or put it back on its queue."""
        self._settle(delivery_tag, lambda: super(QoS, self).reject(delivery_tag, requeue))

    def _settle(self, delivery_tag: str, settle: Callable[[], None]) -> None:
        for _ in range(_TRIES):
            try:
                settle()
            except (*self.channel.connection_errors, ResponseError) as error:
                lost = error
            else:
                return
        log.warning("a message comes again, as Redis could not be told what became of it: %s", lost)
        virtual.QoS.ack(self, delivery_tag)

    @contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """A pipeline without MULTI, unless there is one already."""
        if pipe:
            yield pipe
        else:
            with self.channel.conn_or_acquire(client) as connected:
                yield connected.pipeline(transaction=False)

    def _remove_from_indices(self, delivery_tag: str, pipe: Any = None) -> Any:
        """The message goes first, then its entry in the index."""
        with self.pipe_or_acquire(pipe) as used:
            return used.hdel(self.unacked_key, delivery_tag).zrem(self.unacked_index_key, delivery_tag)


class Channel(redis.Channel):  # type: ignore[misc]
    """Notes deliveries so, and lets messages with the header `AHEAD` jump their queue."""

    QoS = QoS

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """A client. When its connection is lost the others are as old, and each would cost a timeout."""
        try:
            with super().conn_or_acquire(client) as connected:
                yield connected
        except self.connection_errors:
            self._forget_connections()
            raise

    def _forget_connections(self) -> None:
        """Use new ones from now on. One that waits for messages stays; kombu sees to those."""
        self.pool.disconnect(inuse_connections=False)
        asks = getattr(self.__dict__.get("client"), "connection", None)
        if asks is not None and not self._in_poll:
            asks.disconnect()

    def _put(self, queue: str, message: Any, **more: Any) -> None:
        if AHEAD not in (message.get("headers") or {}):
            super()._put(queue, message, **more)
            return
        with self.conn_or_acquire() as client:
            client.rpush(self._q_for_pri(queue, self._get_message_priority(message, reverse=False)), dumps(message))


class Transport(redis.Transport):  # type: ignore[misc]
    """What addresses of Redis stand for, once `use` was called."""

    Channel = Channel


def use() -> None:
    """Have this process's connections to brokers at ``redis://`` and ``rediss://`` made so."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
