import io

from hypothesis import given
from hypothesis import strategies as st

from workers.storage.port import ObjectInfo
from workers.storage.ranged import RangedFile

BODY = bytes(range(256)) * 4000


class Counting:
    def __init__(self):
        self.requests = 0

    def get_range(self, source, start, stop):
        self.requests += 1
        return BODY[start:stop]


def opened():
    store = Counting()
    return store, RangedFile(store, ObjectInfo("b", "k", "e", len(BODY)))


@given(st.lists(st.tuples(st.integers(0, len(BODY) + 10), st.integers(0, 300_000)), max_size=20))
def test_any_reads_give_the_bytes_of_the_object(reads):
    _, file = opened()
    for position, size in reads:
        file.seek(position)
        assert file.read(size) == BODY[position : position + size]


def test_reading_on_asks_for_more_each_time():
    store, file = opened()
    while file.read(32_768):
        pass
    assert store.requests <= 4
    assert file.fetched == len(BODY)


def test_a_part_is_fetched_at_once_and_nothing_beyond_it():
    store, file = opened()
    file.part(1000, 900_000)
    while file.tell() < 900_000:
        assert file.read(min(32_768, 900_000 - file.tell()))
    assert (store.requests, file.fetched) == (1, 899_000)


def test_a_peek_fetches_what_it_gives():
    store, file = opened()
    assert file.peek(2000, 50) == BODY[2000:2050]
    assert file.peek(2010, 20) == BODY[2010:2030]
    assert (store.requests, file.fetched) == (1, 50)


def test_the_end_is_the_end():
    _, file = opened()
    assert file.seek(0, io.SEEK_END) == len(BODY)
    assert file.read(10) == b""
