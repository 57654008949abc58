"""Run an iterator in a thread of its own, a few items ahead of whoever takes them.

Threads are used again: OpenCV keeps 900 bytes for good of every thread that ever called it.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

Item = TypeVar("Item")
_PATIENCE_S = 0.3

Work = tuple[Callable[[], None], threading.Event]
_idle: "list[queue.SimpleQueue[Work]]" = []
"""Where to ask the threads that have nothing to do."""


@contextmanager
def ahead(items: Iterator[Item], most: int) -> Iterator[Iterator[Item]]:
    """An iterator over ``items``, at most ``most`` of them waiting; their errors are raised where they are taken.

    Where the block is left while the next item is being made, which may take long, the thread is free after that item.
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

    over = _begin(fill)
    try:
        yield _taken(ready)
    finally:
        stop.set()
        end = time.monotonic() + _PATIENCE_S
        while not over.is_set() and time.monotonic() < end:
            with suppress(queue.Empty):
                ready.get(timeout=0.05)


def _begin(work: Callable[[], None]) -> threading.Event:
    """Have ``work`` done in a thread; what it returns is set when the thread is free again."""
    over = threading.Event()
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="ahead", daemon=True).start()
    inbox.put((work, over))
    return over


def _serve(inbox: "queue.SimpleQueue[Work]") -> None:
    while True:
        work, over = inbox.get()
        work()
        del work
        _idle.append(inbox)
        over.set()


def _taken(ready: "queue.Queue[Item | BaseException | None]") -> Iterator[Item]:
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
