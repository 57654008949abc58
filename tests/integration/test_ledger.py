"""The ledger and the counters against a real Redis, without workers."""

import json
import time

import pytest

from schema.errors import BrokerUnavailable, JobEnded
from schema.messages import messages_of
from schema.names import LedgerKeys
from schema.queue import make_app, send
from schema.settings import Settings
from workers.storage.ledger import Ledger
from workers.storage.progress import Progress, Turn

UNITS = ["00000000-00000010", "00000010-00000020", "00000020-00000030"]


@pytest.fixture
def ledger(progress, redis_url):
    found = Ledger(redis_url)
    yield found
    found._redis.close()


@pytest.fixture
def sent(progress, redis_url):
    """Three units of a job, announced and on the queue."""
    app = make_app(Settings(redis_url=redis_url))
    progress.announce("j", "infer", UNITS)
    send(app, "posefleet.infer", messages_of("j", UNITS))
    yield
    app.close()


def begin(progress, unit, *, fresh=True):
    return progress.start("j", "infer", unit, fresh=fresh, within_s=60)


def take(progress):
    """What a worker does that dies right after."""
    return json.loads(progress.redis.rpop("posefleet:infer"))


def deliver(progress):
    """What kombu does: take a message, note it as unacknowledged."""
    progress.redis.hset("posefleet:unacked", "tag", json.dumps([take(progress), "infer", "infer"]))


def test_what_is_queued_or_delivered_is_not_lost(sent, progress, ledger):
    deliver(progress)
    assert ledger.lost("infer", 0.0, 60.0) == []
    begin(progress, UNITS[0])
    assert ledger.lost("infer", 0.0, 60.0) == []


def test_a_message_taken_by_a_worker_that_died_is_lost(sent, progress, ledger):
    take(progress)
    assert ledger.lost("infer", 60.0, 60.0) == []
    assert ledger.lost("infer", 0.0, 60.0) == [("j", UNITS[0])]


def test_a_unit_whose_message_vanished_while_it_ran_is_lost(sent, progress, ledger):
    take(progress)
    begin(progress, UNITS[0])
    assert ledger.lost("infer", 0.0, 60.0) == [("j", UNITS[0])]
    progress.announce("j", "infer", UNITS[:1], again=True)
    assert begin(progress, UNITS[0]).attempt == 2


def test_behind_a_long_queue_only_what_is_older_than_the_next_in_turn_is_lost(sent, progress, ledger, redis_url):
    take(progress)
    time.sleep(0.2)
    progress.announce("j", "infer", UNITS[1:])
    assert ledger.lost("infer", 0.0, 60.0) == [("j", UNITS[0])]
    assert ledger.lost("infer", 0.1, 60.0) == [("j", UNITS[0])]
    assert ledger.lost("infer", 10.0, 60.0) == []


def test_a_delivery_that_should_have_ended_long_ago_is_not_believed(sent, progress, ledger):
    deliver(progress)
    begin(progress, UNITS[0])
    time.sleep(0.1)
    assert ledger.lost("infer", 0.0, 60.0) == []
    assert ledger.lost("infer", 0.0, 0.05) == [("j", UNITS[0])]


def test_a_question_that_is_asked_again_gets_the_same_answer(progress, monkeypatch):
    monkeypatch.setattr("workers.storage.progress._caller", lambda: "the same")
    assert [begin(progress, UNITS[0]).attempt for _ in range(2)] == [1, 1]
    assert [progress.finish("j", "infer", UNITS[0], 1, "stitch") for _ in range(2)] == [True, True]


def test_a_unit_that_is_put_back_for_later_is_not_lost_before(sent, progress, ledger):
    take(progress)
    begin(progress, UNITS[0])
    progress.put_back("j", "infer", UNITS[0], 30.0, "why", stumbled=True)
    assert ledger.lost("infer", 0.0, 60.0) == []
    assert progress.note("j", "infer", UNITS[0]) == "why"


def test_attempts_and_stumbles_are_counted_apart(progress):
    assert begin(progress, UNITS[0]).attempt == 1
    assert progress.put_back("j", "infer", UNITS[0], 0.0, "", stumbled=True) == 1
    assert begin(progress, UNITS[0]).attempt == 1
    assert progress.put_back("j", "infer", UNITS[0], 0.0, "", stumbled=False) == 1
    assert begin(progress, UNITS[0]).attempt == 1
    assert progress.put_back("j", "infer", UNITS[0], 0.0, "", stumbled=None) == 1
    assert begin(progress, UNITS[0]).attempt == 2


def test_a_start_that_was_never_counted_is_not_taken_back(progress):
    progress.put_back("j", "infer", UNITS[0], 0.0, "Redis was away", stumbled=True)
    assert begin(progress, UNITS[0], fresh=False).attempt == 1


@pytest.mark.parametrize("swept", [False, True])
def test_a_job_that_comes_again_begins_anew_whatever_its_delete_left(swept, progress, ledger):
    for unit in UNITS:
        progress.finish("j", "infer", unit, 3, "stitch")
    progress.end("j")
    if swept:
        progress.begin_anew("j")
    else:
        progress.announce_jobs(["j"], "split", "")
    assert progress.done("j", "infer") == set()
    assert begin(progress, UNITS[0]).attempt == 1
    assert [progress.finish("j", "infer", unit, 3, "stitch") for unit in UNITS] == [False, False, True]


def test_a_job_under_way_that_is_announced_once_more_keeps_what_is_done(progress):
    progress.finish("j", "infer", UNITS[0], 3, "stitch")
    progress.announce_jobs(["j"], "split", "")
    progress.begin_anew("j")
    assert progress.done("j", "infer") == {UNITS[0]}


def test_a_fresh_message_has_no_turn_while_another_runs_but_a_redelivered_one_has(progress):
    begin(progress, UNITS[0])
    assert begin(progress, UNITS[0]).turn is Turn.TAKEN
    assert begin(progress, UNITS[0], fresh=False).attempt == 2
    assert progress.start("j", "infer", UNITS[0], fresh=True, within_s=0.0).attempt == 3


def test_one_of_many_goes_on_and_what_follows_is_in_the_ledger_before_it_is_sent(progress, ledger):
    said = [progress.finish("j", "infer", unit, 3, "stitch") for unit in (*UNITS, UNITS[0])]
    assert said == [False, False, True, False]
    assert ledger.alive("j", "stitch", ["all"]) == {"all"}
    assert ledger.lost("stitch", 0.0, 60.0) == [("j", "all")]


def test_nothing_goes_on_for_a_job_that_has_ended(progress):
    progress.end("j")
    assert begin(progress, UNITS[0]).turn is Turn.ENDED
    with pytest.raises(JobEnded):
        progress.finish("j", "infer", UNITS[0], 1, "stitch")
    assert progress.redis.zcard(LedgerKeys.waiting("stitch")) == 0


def test_a_complete_step_is_not_opened_again(progress):
    for unit in UNITS[:2]:
        progress.finish("j", "infer", unit, 3)
    assert progress.reopen("j", "infer", UNITS[0], 3)
    for unit in (UNITS[0], UNITS[2]):
        progress.finish("j", "infer", unit, 3)
    assert not progress.reopen("j", "infer", UNITS[0], 3)


def test_another_server_is_noticed_once(progress, ledger):
    assert ledger.restarted()
    assert ledger.restarted()
    ledger.note_sweep()
    assert not ledger.restarted()
    progress.redis.flushall()
    assert ledger.restarted()


def test_the_lock_is_held_by_one(ledger, redis_url):
    other = Ledger(redis_url)
    with ledger.alone() as first, other.alone() as second:
        assert (first, second) == (True, False)
    with other.alone() as again:
        assert again
    other._redis.close()


def test_a_long_sweep_goes_on_holding_the_lock(ledger, monkeypatch):
    monkeypatch.setattr("workers.storage.ledger._RENEWED_S", 0.05)
    with ledger.alone():
        ledger._redis.pexpire(LedgerKeys.lock, 5000)
        time.sleep(0.5)
        assert ledger._redis.pttl(LedgerKeys.lock) > 5000
    assert not ledger._redis.exists(LedgerKeys.lock)


def test_a_lock_that_was_lost_is_left_to_whoever_has_it(ledger, redis_url, monkeypatch):
    monkeypatch.setattr("workers.storage.ledger._RENEWED_S", 0.05)
    other = Ledger(redis_url)
    with ledger.alone():
        ledger._redis.delete(LedgerKeys.lock)
        with other.alone() as second:
            assert second
            mine = ledger._redis.get(LedgerKeys.lock)
            time.sleep(0.3)
            assert ledger._redis.get(LedgerKeys.lock) == mine
    other._redis.close()


def test_closing_a_job_leaves_the_note_that_it_has_ended(progress, ledger):
    begin(progress, UNITS[0])
    progress.finish("j", "infer", UNITS[0], 1)
    progress.end("j")
    ledger.close("j")
    assert progress.redis.keys("posefleet:job:*") == ["posefleet:job:j:ended"]


def test_a_server_that_is_away_is_a_named_error():
    with pytest.raises(BrokerUnavailable, match="Redis did not answer"):
        Progress("redis://127.0.0.1:1/0").ping()
