import threading
from contextlib import closing

import pytest

from schema.errors import StorageUnavailable
from tests.support.waiting import until
from workers.storage.ahead import ReadAhead
from workers.storage.port import ObjectInfo
from workers.storage.ranged import LARGE, RangedFile

SIZE = 5 * LARGE
BODY = bytes(range(256)) * (SIZE // 256)


class Store:
    """It answers when it may."""

    def __init__(self):
        self.asked = []
        self.may = threading.Semaphore(100)
        self.fails = []

    def get_range(self, source, start, stop):
        self.asked.append((start, stop))
        assert self.may.acquire(timeout=10)
        if self.fails and start == self.fails[0]:
            self.fails.pop(0)
            raise StorageUnavailable("away")
        return BODY[start:stop]


class Over:
    """The other end of a wire."""

    def __init__(self, ahead):
        self.ahead = ahead

    def get_range(self, source, start, stop):
        return self.ahead.fetch(start, stop)


def opened(start=0, stop=SIZE):
    store = Store()
    return store, ReadAhead(RangedFile(store, ObjectInfo("b", "k", "e", SIZE)), start, stop)


def streamed(ahead, start, stop):
    file = RangedFile(Over(ahead), ObjectInfo("", "", "", SIZE))
    file.part(start, stop)
    got = []
    while file.tell() < stop:
        got.append(file.read(min(32_768, stop - file.tell())))
    return b"".join(got)


def test_what_comes_next_is_on_its_way_before_it_is_asked_for():
    store, ahead = opened(100, 3 * LARGE)
    with closing(ahead):
        assert ahead.fetch(100, 100 + LARGE) == BODY[100 : 100 + LARGE]
        until(lambda: sorted(store.asked) == [(100, 100 + LARGE), (100 + LARGE, 100 + 2 * LARGE)])
        assert ahead.fetch(100 + LARGE, 100 + 2 * LARGE) == BODY[100 + LARGE : 100 + 2 * LARGE]
        until(lambda: store.asked[2:] == [(100 + 2 * LARGE, 3 * LARGE)])


@pytest.mark.parametrize(("start", "stop"), [(0, SIZE), (1000, 3 * LARGE + 7), (LARGE, LARGE + 10)])
def test_who_streams_gets_the_same_bytes_with_as_many_requests(start, stop):
    store, ahead = opened(start, stop)
    with closing(ahead):
        assert streamed(ahead, start, stop) == BODY[start:stop]
    assert len(store.asked) == -(-(stop - start) // LARGE)
    assert sum(last - first for first, last in store.asked) == stop - start


def test_two_requests_are_under_way_at_once():
    store, ahead = opened()
    store.may = threading.Semaphore(0)
    with closing(ahead):
        asking = threading.Thread(target=ahead.fetch, args=(0, LARGE))
        asking.start()
        until(lambda: len(store.asked) == 2)
        store.may.release(2)
        asking.join()
    assert sorted(store.asked) == [(0, LARGE), (LARGE, 2 * LARGE)]


def test_who_jumps_gets_what_was_asked_for_and_nothing_ahead():
    store, ahead = opened(0, SIZE)
    with closing(ahead):
        for start in (2 * LARGE, LARGE, 3 * LARGE):
            assert ahead.fetch(start, start + 50) == BODY[start : start + 50]
    assert len(store.asked) == 3


def test_an_error_ahead_that_is_over_when_the_bytes_are_wanted_is_none():
    store, ahead = opened()
    store.fails = [LARGE]
    with closing(ahead):
        assert ahead.fetch(0, LARGE) == BODY[:LARGE]
        assert ahead.fetch(LARGE, 2 * LARGE) == BODY[LARGE : 2 * LARGE]


def test_an_error_that_lasts_comes_with_the_bytes_that_it_is_about():
    store, ahead = opened()
    store.fails = [LARGE, LARGE]
    with closing(ahead):
        assert ahead.fetch(0, LARGE) == BODY[:LARGE]
        with pytest.raises(StorageUnavailable):
            ahead.fetch(LARGE, 2 * LARGE)


def test_who_goes_on_after_a_jump_is_read_ahead_again():
    _, ahead = opened()
    with closing(ahead):
        for start in (0, 3 * LARGE, 4 * LARGE):
            assert ahead.fetch(start, start + 50) == BODY[start : start + 50]
        for start in range(0, SIZE, LARGE):
            assert ahead.fetch(start, start + LARGE) == BODY[start : start + LARGE]
