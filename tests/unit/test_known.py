"""Records that a worker keeps of the jobs at hand."""

import pytest

from schema.messages import ModelIdentity, Source, VideoJob
from schema.names import JobKeys
from schema.options import Options
from tests.support.memory import Memory
from tests.unit.test_stitch import plan_of
from workers.storage import known

JOB = VideoJob.accept(Source(bucket="b", key="k.mp4", etag="e", size=1), Options(), ModelIdentity(name="m", sha256="0"))


class Counting(Memory):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get(self, key):
        self.read.append(key)
        return super().get(key)

    def hold(self, job_id: str) -> None:
        self.bodies[JobKeys(job_id).plan] = plan_of([(0, 10)]).to_json()
        self.bodies[JobKeys(job_id).job] = JOB.to_json()


@pytest.fixture
def store():
    known.forget()
    store = Counting()
    for number in range(6):
        store.hold(f"job-{number}")
    yield store
    known.forget()


def test_a_record_is_read_once(store):
    assert known.plan(store, "job-0") is known.plan(store, "job-0")
    assert known.job(store, "job-0") == JOB
    assert store.read == [JobKeys("job-0").plan, JobKeys("job-0").job]


def test_what_is_forgotten_is_read_again_and_nothing_else(store):
    for job_id in ("job-0", "job-1"):
        known.plan(store, job_id)
    known.forget("job-0")
    for job_id in ("job-0", "job-1"):
        known.plan(store, job_id)
    assert store.read == [JobKeys(job_id).plan for job_id in ("job-0", "job-1", "job-0")]


def test_the_jobs_used_last_are_kept(store):
    for number in (0, 1, 2, 3, 0, 4, 0):
        known.plan(store, f"job-{number}")
    known.plan(store, "job-1")
    assert [key.split("/")[1] for key in store.read] == ["job-0", "job-1", "job-2", "job-3", "job-4", "job-1"]


def test_another_store_has_other_records(store):
    other = Counting()
    other.hold("job-0")
    assert known.plan(store, "job-0") is not known.plan(other, "job-0")
