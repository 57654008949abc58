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


def test_left_out_ranges_read_as_zeros_and_cost_nothing():
    store, file = opened()
    file.leave_out([(1000, len(BODY))])
    file.seek(2000)
    assert file.read(50) == bytes(50)
    assert store.requests == 0


def test_the_end_is_the_end():
    _, file = opened()
    assert file.seek(0, io.SEEK_END) == len(BODY)
    assert file.read(10) == b""
