"""An iterator that runs ahead in a thread."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.waiting import until
from workers.engine.ahead import ahead


def idents(count: int) -> Iterator[int]:
    for _ in range(count):
        yield threading.get_ident()


def test_one_thread_serves_one_after_the_other():
    used = set()
    for _ in range(50):
        with ahead(idents(3), 2) as items:
            used |= set(items)
    assert len(used) == 1
    assert threading.get_ident() not in used


def test_as_many_threads_as_run_at_once():
    with ahead(idents(3), 1) as some, ahead(idents(3), 1) as others:
        assert next(some) != next(others)


def test_a_thread_that_is_still_busy_serves_nobody_else():
    go_on = threading.Event()

    def slow() -> Iterator[int]:
        yield threading.get_ident()
        go_on.wait(10)
        yield 0

    with ahead(slow(), 1) as items:
        busy = next(items)
    before = at_once(5)
    assert busy not in before
    go_on.set()
    until(lambda: busy in at_once(len(before) + 1), 10, "the thread is not free again")


def at_once(count: int) -> set[int]:
    """Threads that serve so many side by side: each has more to give than anybody takes."""
    if not count:
        return set()
    with ahead(idents(3), 1) as items:
        return {next(items)} | at_once(count - 1)


def test_errors_come_where_they_are_taken_and_the_thread_goes_on():
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with ahead(broken(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)
    with ahead(idents(2), 1) as items:
        assert len(list(items)) == 2
