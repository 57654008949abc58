"""What a worker does about errors, by class of error. The task runs in this process, storage is in memory."""

import time
from functools import partial

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from producer import tasks as split
from schema.errors import BrokerUnavailable, FleetBusy, PermanentError, SourceChanged, SourceMissing, StorageUnavailable
from schema.manifest import Manifest, State
from schema.messages import FrameBatch, JobReference, ModelIdentity, Source, VideoJob
from schema.names import TASK_STITCH, JobKeys, LedgerKeys, ProgressKeys
from schema.options import Options
from schema.settings import current
from tests.support.memory import Memory
from tests.support.waiting import until
from tests.unit.test_stitch import plan_of
from workers import held
from workers import task as base
from workers.storage import known
from workers.storage.progress import Progress
from workers.storage.records import end_early
from workers.tasks import infer, publish, stitch
from workers.telemetry import measure, meters
from workers.watch import Watch

SOURCE = Source(bucket="b", key="k.mp4", etag="e", size=1)
JOB = VideoJob.accept(SOURCE, Options(), ModelIdentity(name="m", sha256="0"))
KEYS = JobKeys(JOB.job_id)
CUTS = [(0, 20), (20, 40)]
BATCH = FrameBatch(job_id=JOB.job_id, start=0, stop=20)


class Store(Memory):
    """Storage that fails as told before it answers."""

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)
        self.bodies[KEYS.job] = JOB.to_json()
        self.bodies[KEYS.plan] = plan_of(CUTS).model_copy(update={"job_id": JOB.job_id}).to_json()

    def head(self, key, bucket=None):
        if self.failures and key != "ready":
            raise self.failures.pop(0)
        return super().head(key)


@pytest.fixture(scope="module")
def watched(redis_url):
    progress = Progress(redis_url)
    return progress, Watch(progress)


@pytest.fixture
def fakes(watched, monkeypatch):
    """Real Redis; a store in memory; a list instead of the queues."""
    (progress, watch), sent = watched, []
    progress.redis.flushall()

    def use(*failures):
        store = Store(*failures)
        monkeypatch.setattr(held, "store", lambda: store)
        held.outages.cache_clear()
        return store, progress, sent

    monkeypatch.setattr(held, "progress", lambda: progress)
    monkeypatch.setattr(held, "watch", lambda: watch)
    monkeypatch.setattr(base, "send", lambda _, *messages: sent.append(messages))
    yield use
    held.outages.cache_clear()


def attempts(progress, step="infer", unit=BATCH.unit):
    return int(progress.redis.hget(ProgressKeys(JOB.job_id).attempts, f"{step}:{unit}") or 0)


def test_a_transient_error_is_tried_again_and_is_no_attempt(fakes, monkeypatch):
    _, redis, sent = fakes(StorageUnavailable("away"), StorageUnavailable("away"))
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: "key")
    assert infer.apply(args=[BATCH.to_message()]).get() == "key"
    assert attempts(redis) == 1
    assert redis.done(JOB.job_id, "infer") == {BATCH.unit}
    assert sent == []


@pytest.mark.parametrize(("error", "anew"), [(BrokerUnavailable("timed out"), 1), (StorageUnavailable("away"), 0)])
def test_who_lost_redis_sends_the_message_again_on_a_new_connection(error, anew, fakes, monkeypatch):
    fakes(error)
    seen = []
    monkeypatch.setattr("workers.retries.connect_anew", seen.append)
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: "key")
    assert infer.apply(args=[BATCH.to_message()]).get() == "key"
    assert seen == [infer.app] * anew


def test_the_last_batch_of_a_step_sends_what_follows(fakes, monkeypatch):
    _, redis, sent = fakes()
    redis.finish(JOB.job_id, "infer", "00000020-00000040", 2)
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: "key")
    infer.apply(args=[BATCH.to_message()])
    assert sent == [(TASK_STITCH, [JobReference(job_id=JOB.job_id)], "")]


@pytest.mark.parametrize("error", [PermanentError("broken"), ZeroDivisionError("a mistake of ours")])
def test_a_batch_that_cannot_work_becomes_a_dead_letter_and_the_job_goes_on(error, fakes, monkeypatch):
    store, redis, _ = fakes()
    monkeypatch.setattr("workers.stages.infer.infer", failing(error))
    infer.apply(args=[BATCH.to_message()])
    record = store.bodies[KEYS.dead("infer", 0, 20)].decode()
    assert str(error) in record
    assert "Traceback" in record
    assert redis.done(JOB.job_id, "infer") == {BATCH.unit}
    assert KEYS.manifest not in store.bodies


def test_a_batch_that_takes_its_process_down_is_given_up_after_its_attempts(fakes):
    store, redis, _ = fakes()
    for _ in range(3):
        start(redis)
    infer.apply(args=[BATCH.to_message()], retries=3)
    assert "was started 3 times without an end" in store.bodies[KEYS.dead("infer", 0, 20)].decode()


def test_a_worker_that_is_gone_is_a_stumble_of_its_batch_up_to_a_limit(fakes):
    _, redis, _ = fakes()
    begin = partial(redis.start, JOB.job_id, "infer", BATCH.unit, fresh=False, within_s=60, most_stumbles=2)
    assert begin().attempt == 1
    assert [begin(redelivered=True).attempt for _ in range(4)] == [1, 1, 2, 3]


def test_what_is_redelivered_without_having_begun_is_an_attempt(fakes):
    _, redis, _ = fakes()
    begin = partial(redis.start, JOB.job_id, "infer", BATCH.unit, fresh=False, within_s=60, most_stumbles=2)
    assert begin(redelivered=True).attempt == 1
    redis.put_back(JOB.job_id, "infer", BATCH.unit, 0.0, "", stumbled=None)
    assert begin(redelivered=True).attempt == 2


def test_running_into_the_time_limit_is_an_attempt(fakes, monkeypatch):
    store, redis, _ = fakes()
    monkeypatch.setattr("workers.stages.infer.infer", failing(SoftTimeLimitExceeded()))
    infer.apply(args=[BATCH.to_message()])
    assert attempts(redis) == 4
    assert KEYS.dead("infer", 0, 20) in store.bodies


def test_the_time_limit_may_come_while_an_error_is_seen_to(fakes, monkeypatch):
    store, redis, _ = fakes()
    errors = [StorageUnavailable("away")]
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: failing(errors.pop())() if errors else "key")
    limits, put_back = [SoftTimeLimitExceeded()], redis.put_back

    def noting(*unit, **how):
        return failing(limits.pop())() if limits else put_back(*unit, **how)

    monkeypatch.setattr(redis, "put_back", noting)
    assert infer.apply(args=[BATCH.to_message()]).get() == "key"
    assert attempts(redis) == 2
    assert KEYS.dead("infer", 0, 20) not in store.bodies


def test_storage_may_be_away_while_a_task_asks_whether_its_job_is_gone(fakes, monkeypatch):
    store, redis, _ = fakes()
    errors = [SourceMissing("poses")]

    def stage(**_):
        if errors:
            store.failures.append(StorageUnavailable("away"))
            raise errors.pop()
        return "key"

    monkeypatch.setattr("workers.stages.infer.infer", stage)
    assert infer.apply(args=[BATCH.to_message()]).get() == "key"
    assert (attempts(redis), set(store.bodies)) == (1, {KEYS.job, KEYS.plan})


def test_a_publish_that_finds_the_manifest_tells_of_it(fakes, monkeypatch):
    store, redis, _ = fakes()
    end_early(store=store, job=JOB, state=State.CANCELLED, error=None)
    assert publish.apply(args=[JobReference(job_id=JOB.job_id).to_message()]).get() is None
    assert redis.is_ended(JOB.job_id)


@pytest.mark.parametrize(
    ("task", "message"),
    [(infer, BATCH), (stitch, JobReference(job_id=JOB.job_id))],
    ids=["a batch whose source was overwritten", "a step of the whole job"],
)
def test_what_no_other_batch_can_mend_fails_the_job(task, message, fakes, monkeypatch):
    store, _, _ = fakes()
    name = task.name.rpartition(".")[2]
    monkeypatch.setattr(f"workers.stages.{name}.{name}", failing(SourceChanged("overwritten")))
    task.apply(args=[message.to_message()])
    manifest = Manifest.from_json(store.bodies[KEYS.manifest])
    assert (manifest.state, manifest.error.reason) == ("failed", "source_changed")


def test_a_job_that_has_ended_gets_no_more_work(fakes):
    store, redis, sent = fakes()
    store.bodies[KEYS.manifest] = b"{}"
    assert infer.apply(args=[BATCH.to_message()]).get() is None
    assert (redis.done(JOB.job_id, "infer"), sent) == (set(), [])


def test_a_message_of_another_version_is_refused_and_changes_nothing(fakes):
    store, redis, _ = fakes()
    before = dict(store.bodies)
    result = infer.apply(args=[{**BATCH.to_message(), "schema_version": 2}])
    assert result.failed()
    assert (store.bodies, attempts(redis)) == (before, 0)


def test_a_message_that_comes_twice_is_worked_on_once(fakes):
    store, redis, _ = fakes()
    start(redis)
    infer.apply(args=[BATCH.to_message()])
    assert attempts(redis) == 1
    assert KEYS.poses(0, 20) not in store.bodies
    assert redis.done(JOB.job_id, "infer") == set()


def test_an_error_that_stays_while_servers_answer_is_given_up(fakes):
    store, _, _ = fakes(*[StorageUnavailable("this object only")] * 100)
    infer.apply(args=[BATCH.to_message()])
    record = store.bodies[KEYS.dead("infer", 0, 20)].decode()
    assert "was tried 11 times" in record
    assert "this object only" in record


def test_a_task_stops_when_its_job_ends_and_leaves_nothing(fakes, monkeypatch):
    store, redis, sent = fakes()

    def cancelled(**_):
        store.put_new(KEYS.poses(0, 20), b"half")
        end_early(store=store, job=JOB, state=State.CANCELLED, error=None)
        store.put_new(KEYS.result("tracks.parquet"), b"late")
        redis.end(JOB.job_id)
        time.sleep(20)
        raise AssertionError("was not stopped")

    monkeypatch.setattr("workers.stages.infer.infer", cancelled)
    assert infer.apply(args=[BATCH.to_message()]).get() is None
    assert {KEYS.manifest, KEYS.job, KEYS.plan} == set(store.bodies)
    assert redis.redis.zcard(LedgerKeys.running("infer")) == 0
    assert sent == []


def test_records_are_read_again_once_the_job_has_ended(fakes, watched):
    store, progress, _ = fakes()
    with watched[1].over("another"):
        until(lambda: progress.redis.pubsub_numsub(LedgerKeys.channel)[0][1], 10, "nobody listens")
        assert len(known.plan(store, JOB.job_id).ranges) == 2
        store.bodies[KEYS.plan] = plan_of([*CUTS, (40, 60)]).to_json()
        assert len(known.plan(store, JOB.job_id).ranges) == 2
        progress.end(JOB.job_id)
        until(lambda: len(known.plan(store, JOB.job_id).ranges) == 3, 10, "the old plan is kept")


def test_no_further_video_is_split_while_as_much_waits_as_redis_is_meant_to_hold(fakes, monkeypatch):
    _, redis, _ = fakes()
    monkeypatch.setattr(split, "current", lambda: current().model_copy(update={"max_waiting": 3}))
    redis.announce("another", "infer", ["00000000-00000001", "00000001-00000002"])
    split.leave_room("infer")
    redis.start("another", "infer", "00000000-00000001", fresh=True, within_s=60)
    redis.announce("another", "infer", ["00000002-00000003"])
    with pytest.raises(FleetBusy, match="3 batches wait for infer, POSEFLEET_MAX_WAITING is 3"):
        split.leave_room("infer")


def test_retries_and_dead_letters_are_counted_by_step_and_reason(fakes, monkeypatch):
    fakes(StorageUnavailable("away"))
    counted: list[tuple[str, ...]] = []
    measure.collect(lambda meter, _, labels: counted.append((meter.name, *labels)))
    monkeypatch.setattr("workers.stages.infer.infer", failing(SoftTimeLimitExceeded()))
    infer.apply(args=[BATCH.to_message()])
    measure.collect(None)
    reasons = [labels for name, *labels in counted if name == meters.RETRIES.name]
    assert sorted(reasons) == [["infer", "storage_unavailable"], *[["infer", "time_limit"]] * 3]
    assert counted.count((meters.DEAD_LETTERS.name, "infer")) == 1
    outcomes = [labels[1] for name, *labels in counted if name == meters.TASKS.name]
    assert sorted(outcomes) == ["dead", "retried", "retried", "retried", "retried"]


def start(progress, *, fresh=False, step="infer"):
    return progress.start(JOB.job_id, step, BATCH.unit, fresh=fresh, within_s=60)


def failing(error):
    def stage(**_):
        raise error

    return stage
