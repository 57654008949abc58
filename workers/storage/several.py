"""Several requests to storage at once, their answers in order: one after the other would wait for each."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AT_ONCE = 8


def answers(ask: Callable[[Item], Answer], items: Iterable[Item], at_once: int = AT_ONCE) -> Iterator[Answer]:
    """``ask(item)`` of every item, in their order, in threads, at most ``at_once`` ahead of whoever takes the answers.

    An error is raised in the place of its answer; what was not asked by then is not asked any more.
    """
    asked: deque[Future[Answer]] = deque()
    pool = ThreadPoolExecutor(at_once, "several")
    try:
        for item in items:
            asked.append(pool.submit(ask, item))
            if len(asked) >= at_once:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
