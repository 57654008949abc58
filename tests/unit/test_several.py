"""Several requests at once."""

import threading
import time

import pytest

from workers.storage.several import answers


def test_answers_come_in_order_whoever_is_done_first():
    def ask(number: int) -> int:
        time.sleep(0.02 * (number % 3))
        return number

    assert list(answers(ask, range(20), at_once=5)) == list(range(20))


def test_no_more_than_so_many_are_asked_ahead():
    asked: list[int] = []
    found = answers(lambda number: asked.append(number) or number, range(100), at_once=4)
    assert next(found) == 0
    time.sleep(0.05)
    assert sorted(asked) == [0, 1, 2, 3]
    found.close()


def test_requests_run_side_by_side():
    together = threading.Barrier(4, timeout=10)
    assert list(answers(lambda _: together.wait() is not None, range(4), at_once=4)) == [True] * 4


def test_an_error_is_raised_in_its_place_and_ends_it():
    asked: list[int] = []

    def ask(number: int) -> int:
        asked.append(number)
        if number == 3:
            raise LookupError("three")
        return number

    found = answers(ask, range(1000), at_once=2)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="three"):
        next(found)
    assert len(asked) <= 6
