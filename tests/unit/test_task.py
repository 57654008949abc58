"""What a worker does about errors, by class of error. The task runs in this process, storage and Redis are fakes."""

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from schema.errors import PermanentError, SourceChanged, StorageUnavailable
from schema.manifest import Manifest
from schema.messages import FrameBatch, JobReference, ModelIdentity, Source, VideoJob
from schema.names import TASK_STITCH, JobKeys
from schema.options import Options
from tests.unit.test_stitch import Memory, plan_of
from workers import task as base
from workers.tasks import infer, stitch

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
        self.objects[KEYS.job] = JOB.to_json()
        self.objects[KEYS.plan] = plan_of(CUTS).model_copy(update={"job_id": JOB.job_id}).to_json()

    def head(self, key, bucket=None):
        if self.failures:
            raise self.failures.pop(0)
        return self.objects.get(key)

    def get(self, key):
        return self.objects[key]

    def delete(self, keys):
        pass


class Redis:
    """Counters and sets as `workers.storage.progress.Progress` keeps them."""

    def __init__(self):
        self.attempts, self.done = {}, {}

    def start(self, job_id, step, unit):
        self.attempts[step, unit] = self.attempts.get((step, unit), 0) + 1
        return self.attempts[step, unit]

    def take_back(self, job_id, step, unit):
        self.attempts[step, unit] -= 1

    def finish(self, job_id, step, unit, units):
        self.done.setdefault(step, set()).add(unit)
        return len(self.done[step]) == units


@pytest.fixture
def fakes(monkeypatch):
    redis, sent = Redis(), []

    def use(*failures):
        store = Store(*failures)
        monkeypatch.setattr("workers.tasks.store", lambda: store)
        monkeypatch.setattr(base, "store", lambda: store)
        monkeypatch.setattr("workers.storage.records.end", lambda _, manifest: end(store, manifest))
        return store, redis, sent

    monkeypatch.setattr(base, "progress", lambda: redis)
    monkeypatch.setattr(base, "send", lambda _, *message: sent.append(message))
    return use


def end(store, manifest):
    return store.put_new(KEYS.manifest, manifest.to_json())


def test_a_transient_error_is_tried_again_and_is_no_attempt(fakes, monkeypatch):
    _, redis, sent = fakes(StorageUnavailable("away"), StorageUnavailable("away"))
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: "key")
    assert infer.apply(args=[BATCH.to_message()]).get() == "key"
    assert redis.attempts["infer", BATCH.unit] == 1
    assert redis.done["infer"] == {BATCH.unit}
    assert sent == []


def test_the_last_batch_of_a_step_sends_what_follows(fakes, monkeypatch):
    _, redis, sent = fakes()
    redis.done["infer"] = {"00000020-00000040"}
    monkeypatch.setattr("workers.stages.infer.infer", lambda **_: "key")
    infer.apply(args=[BATCH.to_message()])
    assert sent == [(TASK_STITCH, JobReference(job_id=JOB.job_id))]


@pytest.mark.parametrize("error", [PermanentError("broken"), ZeroDivisionError("a mistake of ours")])
def test_a_batch_that_cannot_work_becomes_a_dead_letter_and_the_job_goes_on(error, fakes, monkeypatch):
    store, redis, _ = fakes()
    monkeypatch.setattr("workers.stages.infer.infer", failing(error))
    infer.apply(args=[BATCH.to_message()])
    record = store.objects[KEYS.dead("infer", 0, 20)].decode()
    assert str(error) in record
    assert "Traceback" in record
    assert redis.done["infer"] == {BATCH.unit}
    assert KEYS.manifest not in store.objects


def test_a_batch_that_takes_its_process_down_is_given_up_after_its_attempts(fakes):
    store, redis, _ = fakes()
    redis.attempts["infer", BATCH.unit] = 3
    infer.apply(args=[BATCH.to_message()])
    assert "was started 3 times without an end" in store.objects[KEYS.dead("infer", 0, 20)].decode()


def test_running_into_the_time_limit_is_an_attempt(fakes, monkeypatch):
    store, redis, _ = fakes()
    monkeypatch.setattr("workers.stages.infer.infer", failing(SoftTimeLimitExceeded()))
    infer.apply(args=[BATCH.to_message()])
    assert redis.attempts["infer", BATCH.unit] == 4
    assert KEYS.dead("infer", 0, 20) in store.objects


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
    manifest = Manifest.from_json(store.objects[KEYS.manifest])
    assert (manifest.state, manifest.error.reason) == ("failed", "source_changed")


def test_a_job_that_has_ended_gets_no_more_work(fakes):
    store, redis, sent = fakes()
    store.objects[KEYS.manifest] = b"{}"
    assert infer.apply(args=[BATCH.to_message()]).get() is None
    assert (redis.done, sent) == ({}, [])


def test_a_message_of_another_version_is_refused_and_changes_nothing(fakes):
    store, redis, _ = fakes()
    before = dict(store.objects)
    result = infer.apply(args=[{**BATCH.to_message(), "schema_version": 2}])
    assert result.failed()
    assert (store.objects, redis.attempts) == (before, {})


def failing(error):
    def stage(**_):
        raise error

    return stage
