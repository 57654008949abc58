"""Waiting for a server: two lines in the log, however long it takes."""

import pytest

from schema.errors import StorageUnavailable
from workers.storage import outage
from workers.storage.outage import Outage


class Server:
    """Answers from the ``after``-th time it is asked."""

    def __init__(self, after):
        self.after, self.asked = after, 0

    def __call__(self):
        self.asked += 1
        if self.asked <= self.after:
            raise StorageUnavailable("away")


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Pauses that pass at once, on a clock of their own."""
    clock = [0.0]
    monkeypatch.setattr(outage.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(outage.time, "sleep", lambda s: clock.__setitem__(0, clock[0] + max(s, 0.001)))


def test_a_server_that_answers_was_not_away(caplog):
    assert not Outage("S3", Server(0)).wait(10)
    assert caplog.messages == []


def test_two_lines_tell_of_one_outage(caplog):
    found = Outage("S3", Server(5))
    assert found.wait(60)
    assert not found.lasts
    assert [line.split()[:3] for line in caplog.messages] == [["S3", "is", "away:"], ["S3", "is", "back"]]


def test_patience_ends_and_the_next_wait_tells_no_second_time(caplog):
    server = Server(40)
    found = Outage("S3", server)
    assert found.wait(20)
    assert found.lasts
    assert server.asked < 25
    while found.lasts:
        found.wait(20)
    assert len(caplog.messages) == 2


def test_who_must_be_sure_gets_the_last_error():
    with pytest.raises(StorageUnavailable):
        Outage("S3", Server(1000)).wait(5, sure=True)
