"""How workers take turns between the lanes of their queues."""

from collections.abc import Iterable
from typing import Any

from celery.app.amqp import AMQP, Queues

from schema.names import HIGH, STEP_QUEUES, lanes_of


class Turns:
    """Order in which a worker asks its queues for messages, as kombu wants it: high lanes first, all others in turn.

    Redis gives the first message of the first list that has one, so whoever was served last goes to the end.
    """

    def __init__(self) -> None:
        self._names: list[str] = []

    def update(self, names: Iterable[str]) -> None:
        """Take the queues that are consumed now."""
        wanted = list(names)
        kept = [name for name in self._names if name in wanted]
        self._names = kept + [name for name in wanted if name not in kept]

    def consume(self, count: int) -> list[str]:
        """The order of the next look."""
        return sorted(self._names, key=lambda name: not name.endswith(f".{HIGH}"))[:count]

    def rotate(self, last_used: str) -> str:
        """Note who was served."""
        if last_used in self._names:
            self._names.remove(last_used)
            self._names.append(last_used)
        return last_used


class LanedQueues(Queues):  # type: ignore[misc]
    """Queues of which a worker that asks for one gets all lanes."""

    def select(self, include: Any) -> None:
        """Consume these: ``infer`` stands for all its lanes, ``infer.high`` for itself."""
        asked = [include] if isinstance(include, str) else list(include or [])
        every = [name for each in asked for name in (lanes_of(each) if each in STEP_QUEUES else (each,))]
        super().select(list(dict.fromkeys(every)))


class LanedAMQP(AMQP):  # type: ignore[misc]
    """Celery's queues, with lanes."""

    queues_cls = LanedQueues
