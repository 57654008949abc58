"""What was lost comes back, what was given up can be done again, what was cancelled or deleted leaves nothing."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from producer import Fleet
from producer.dispatch import Dispatch
from producer.inputs import upload
from producer.letters import drop, letters, retry
from producer.missing import missing
from producer.stack.process import Child, Command
from producer.stack.stack import Stack
from producer.sweep import Sweeper
from schema.errors import BrokerUnavailable, ConfigurationError, SourceMissing, VideoError
from schema.manifest import State
from schema.messages import FrameBatch
from schema.names import OPEN, QUEUE_INFER, STEPS, JobKeys, LedgerKeys, ProgressKeys, lanes_of
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP
from tests.support.waiting import until
from workers.stages.dead import bury
from workers.storage.records import purge

pytestmark = pytest.mark.stack
WAIT_S = 120
TRACKS_ONLY = Options(render=False)


@pytest.fixture(scope="module")
def uri(fleet: Fleet) -> str:
    return upload(fleet, CLIP)


@pytest.fixture
def quick(stack: Stack) -> Fleet:
    """The same fleet, whose sweeper calls a message lost after a second."""
    settings = stack.addresses.settings(Settings.read()).model_copy(update={"lost_after_s": 1.0})
    return Fleet(settings)


@pytest.fixture
def begun(fleet: Fleet, uri: str) -> Iterator[object]:
    """A job of which some batches are done and many are not."""
    job = fleet.enqueue(uri, TRACKS_ONLY, batch_frames=6, force=True)
    until(lambda: len(poses_of(fleet, job)) >= 2)
    yield job
    if fleet.store.head(JobKeys(job.job_id).job):
        job.wait(WAIT_S)


def poses_of(fleet, job):
    return {found.key: found.etag for found in fleet.store.objects(JobKeys(job.job_id).poses_prefix)}


def test_a_wiped_redis_is_made_anew_and_no_finished_batch_is_done_again(begun, quick):
    before = poses_of(quick, begun)
    quick.progress.redis.flushall()
    findings = Sweeper(quick).sweep()
    assert findings.sent["infer"] > 0
    assert begun.wait(WAIT_S).state == "succeeded"
    attempts = quick.progress.redis.hgetall(ProgressKeys(begun.job_id).attempts)
    again = {JobKeys(begun.job_id).poses(*map(int, name.split(":")[1].split("-"))) for name in attempts if "-" in name}
    assert not again & before.keys()
    assert begun.status().manifest.frames == 230


def test_messages_that_nobody_has_are_sent_again(fleet, quick, uri):
    redis = fleet.progress.redis
    job = fleet.enqueue(uri, TRACKS_ONLY, batch_frames=6, force=True)
    lanes = [f"posefleet:{lane}" for lane in lanes_of(QUEUE_INFER)]
    until(lambda: sum(map(redis.llen, lanes)) > 5)
    redis.delete(*lanes)
    until(lambda: not redis.zcard(LedgerKeys.running("infer")))
    assert missing(fleet.store, job.job_id).units
    time.sleep(1.1)
    findings = Sweeper(quick).sweep()
    assert findings.sent["infer"] > 0
    assert job.wait(WAIT_S).state == "succeeded"


def test_what_waits_in_a_queue_is_not_sent_again(fleet, quick, begun):
    time.sleep(1.1)
    assert not begun.status().state.final
    assert Sweeper(quick).sweep().sent == {}


def test_a_job_whose_message_was_never_sent_is_found(fleet, quick, uri, monkeypatch):
    monkeypatch.setattr(Dispatch, "_patiently", lambda *_: None)
    job = fleet.enqueue(uri, TRACKS_ONLY, force=True)
    assert Sweeper(quick).sweep(every=True).sent["split"] == 1
    assert job.wait(WAIT_S).state == "succeeded"


def test_a_sweep_that_finds_nothing_says_so(quick):
    until(lambda: Sweeper(quick).sweep(every=True).nothing)
    assert list(quick.store.objects(OPEN)) == []
    assert all(quick.progress.outstanding(step) == 0 for step in STEPS)


def test_a_full_redis_is_said_and_an_accepted_job_starts_once_there_is_room(fleet, quick, uri):
    hasty = Fleet(quick.settings.model_copy(update={"patience_s": 0.5}))
    fleet.progress.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(BrokerUnavailable, match="Redis is full"):
            hasty.enqueue(uri, Options(render=False, min_score=0.21))
    finally:
        fleet.progress.redis.config_set("maxmemory", 0)
    (opened,) = [found.key.removeprefix(OPEN) for found in fleet.store.objects(OPEN)]
    assert Sweeper(quick).sweep().sent["split"] == 1
    assert fleet.job(opened).wait(WAIT_S).state == "succeeded"


def test_an_enqueue_waits_while_redis_is_full(fleet, uri):
    fleet.progress.redis.config_set("maxmemory", 1)
    relief = threading.Timer(1.0, fleet.progress.redis.config_set, ("maxmemory", 0))
    relief.start()
    job = fleet.enqueue(uri, TRACKS_ONLY, force=True)
    relief.join()
    assert job.wait(WAIT_S).state == "succeeded"


def test_a_sweeper_that_is_told_to_stop_stops_at_once(stack, tmp_path):
    folder = tmp_path / "ready"
    named = {**stack.addresses.environment(), "POSEFLEET_READY_DIR": str(folder)}
    sweeper = Child(Command("sweeper", [sys.executable, "-m", "producer", "sweep"], named, 10), tmp_path)
    sweeper.wait_until((folder / "heartbeat").exists, 60)
    os.kill(sweeper.pid, signal.SIGTERM)
    until(lambda: not sweeper.running, 5, "it runs on")
    assert sweeper.status == 0, sweeper.log.read_text()


def test_one_sweeper_is_active_at_a_time(quick):
    with quick.ledger.alone() as first:
        assert first
        assert not Sweeper(quick).sweep().active
    assert Sweeper(quick).sweep().active


def test_cancelling_stops_running_batches_within_seconds_and_leaves_no_result(fleet, quick, uri):
    job = fleet.enqueue(uri, Options(quality="best"), batch_frames=230, force=True)
    until(lambda: job.job_id in fleet.ledger.running_jobs() and fleet.info(job.job_id).state == State.INFERRING)
    time.sleep(0.5)
    assert fleet.cancel(job.job_id)
    began = time.monotonic()
    until(lambda: job.job_id not in fleet.ledger.running_jobs(), 15)
    assert time.monotonic() - began < 10
    assert job.status().state == "cancelled"
    until(lambda: not Sweeper(quick).sweep(every=True).closed)
    keys = JobKeys(job.job_id)
    assert {found.key for found in fleet.store.objects(keys.results_prefix)} == {keys.manifest}
    assert poses_of(fleet, job) == {}
    assert fleet.store.head(keys.open) is None


def test_deleting_a_running_job_leaves_no_object_and_no_key(fleet, begun):
    assert fleet.delete(begun.job_id) > 0
    time.sleep(1)
    assert list(fleet.store.objects(JobKeys(begun.job_id).prefix)) == []
    assert fleet.store.head(JobKeys(begun.job_id).open) is None
    assert fleet.progress.redis.keys(f"*{begun.job_id}:done*") == []
    with pytest.raises(SourceMissing):
        fleet.job(begun.job_id)


def test_a_deleted_job_that_something_still_ran_for_is_forgotten(quick):
    gone, unit = "f" * 20, "00000000-00000006"
    quick.progress.put_back(gone, "infer", unit, 0.0, "its process was stopped", stumbled=False)
    quick.progress.redis.zadd(LedgerKeys.open, {gone: 1.0})
    Sweeper(quick).sweep()
    assert quick.progress.redis.zscore(LedgerKeys.open, gone) is None
    time.sleep(1.1)  # from now on its message counts as lost
    Sweeper(quick).sweep()
    assert not quick.ledger.alive(gone, "infer", [unit])


def test_a_deleted_job_can_come_again(fleet, uri):
    options = Options(render=False, min_score=0.21)
    first = fleet.enqueue(uri, options)
    assert first.wait(WAIT_S).state == "succeeded"
    fleet.delete(first.job_id)
    again = fleet.enqueue(uri, options)
    assert again.job_id == first.job_id
    assert again.wait(WAIT_S).state == "succeeded"


def test_an_end_that_is_not_true_does_not_stop_a_job(quick, begun):
    quick.progress.redis.set(ProgressKeys(begun.job_id).ended, "1")
    until(lambda: not quick.progress.outstanding("infer"), 60, "batches wait")
    Sweeper(quick).sweep(every=True)
    assert begun.wait(WAIT_S).state == "succeeded"


def test_a_job_whose_records_make_no_sense_is_no_other_job_s_fault(quick):
    odd = "0" * 20
    quick.store.put_new(JobKeys(odd).job, b'{"schema_version": 999}')
    quick.progress.announce(odd, "infer", ["00000000-00000006"])
    try:
        until(lambda: odd in Sweeper(quick).sweep().errors, 30, "the sweeper does not say so")
    finally:
        purge(quick.store, odd)
        quick.ledger.drop("infer", [(odd, "00000000-00000006")])


@pytest.fixture
def partial(fleet: Fleet, uri: str) -> object:
    """A job that ended without one of its batches."""
    job = fleet.enqueue(uri, TRACKS_ONLY, batch_frames=100, force=True)
    batch = FrameBatch(job_id=job.job_id, start=100, stop=200)
    bury(store=fleet.store, step="infer", batch=batch, error=VideoError("broken"), trace="Traceback", worker="w1")
    assert job.wait(WAIT_S).state == State.PARTIAL
    return job


def test_dead_batches_are_listed_and_done_again_by_a_job_that_takes_over_the_rest(partial, fleet):
    assert partial.status().manifest.dead_ranges == ((100, 200),)
    (letter,) = letters(fleet, partial.job_id)
    assert (letter.step, letter.start, letter.stop, letter.worker) == ("infer", 100, 200, "w1")
    assert (letter.error.message, letter.traceback) == ("broken", "Traceback")
    assert partial.job_id in {each.job_id for each in letters(fleet)}
    again, count = retry(fleet, partial.job_id)
    assert (again.wait(WAIT_S).state, count) == ("succeeded", 1)
    assert again.status().manifest.frames == 230
    assert again.status().manifest.again_of == partial.job_id
    assert retry(fleet, partial.job_id)[0].job_id == again.job_id
    assert drop(fleet, partial.job_id) == 1
    assert list(letters(fleet, partial.job_id)) == []
    with pytest.raises(ConfigurationError, match="no dead letters"):
        retry(fleet, partial.job_id)


def test_a_dead_batch_of_a_running_job_is_done_again_in_that_job(begun, fleet):
    plan_units = missing(fleet.store, begun.job_id).units
    start, stop = map(int, plan_units[-1].split("-"))
    batch = FrameBatch(job_id=begun.job_id, start=start, stop=stop)
    bury(store=fleet.store, step="infer", batch=batch, error=VideoError("broken"), trace="", worker="w1")
    with pytest.raises(ConfigurationError, match="has not ended"):
        drop(fleet, begun.job_id)
    fleet.progress.finish(begun.job_id, "infer", batch.unit, 1000)
    again, count = retry(fleet, begun.job_id)
    assert (again.job_id, count) == (begun.job_id, 1)
    assert begun.wait(WAIT_S).state == "succeeded"


def test_an_old_upload_in_parts_is_given_up(fleet, quick):
    client, name = fleet.store._client, {"Bucket": fleet.store.bucket, "Key": "jobs/none/results/a.mp4"}
    upload_id = client.create_multipart_upload(**name)["UploadId"]
    client.upload_part(**name, UploadId=upload_id, PartNumber=1, Body=b"x" * 100)
    assert fleet.store.abort_uploads("jobs/", time.time() - 3600) == 0
    assert fleet.store.abort_uploads("jobs/", time.time() + 60) == 1
    assert fleet.store.abort_uploads("jobs/", time.time() + 60) == 0


def test_jobs_past_their_time_are_deleted(fleet, uri):
    from producer.sweep import delete_older

    job = fleet.enqueue(f"s3://{fleet.store.bucket}/nothing/old.mp4")
    ended_s = fleet.store.head(JobKeys(job.job_id).manifest).modified_s
    assert job.job_id not in delete_older(fleet, ended_s - 1_000_000)
    assert purge(fleet.store, "none") == 0
    assert fleet.store.head(JobKeys(job.job_id).job) is not None
    fleet.delete(job.job_id)
