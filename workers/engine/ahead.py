"""Run an iterator in a thread of its own, a few items ahead of whoever takes them."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

Item = TypeVar("Item")
_PATIENCE_S = 0.3


@contextmanager
def ahead(items: Iterator[Item], most: int) -> Iterator[Iterator[Item]]:
    """An iterator over ``items``, at most ``most`` of them waiting; their errors are raised where they are taken.

    Where the block is left while the next item is being made, which may take long, the thread ends with that item.
    """
    ready: queue.Queue[Item | BaseException | None] = queue.Queue(most)
    stop = threading.Event()

    def fill() -> None:
        try:
            for item in items:
                ready.put(item)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=fill, name="ahead", daemon=True)
    thread.start()
    try:
        yield _taken(ready)
    finally:
        stop.set()
        end = time.monotonic() + _PATIENCE_S
        while thread.is_alive() and time.monotonic() < end:
            with suppress(queue.Empty):
                ready.get(timeout=0.05)


def _taken(ready: "queue.Queue[Item | BaseException | None]") -> Iterator[Item]:
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
