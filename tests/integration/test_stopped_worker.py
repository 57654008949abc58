"""A worker that is stopped in the middle of a batch, and another that goes on."""

import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.names import ProgressKeys, range_name
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP
from tests.support.waiting import until

pytestmark = pytest.mark.stack


def test_what_a_stopped_worker_hands_on_is_no_attempt(stack: Stack, monkeypatch):
    monkeypatch.setenv("POSEFLEET_SOFT_SHUTDOWN_S", "0.5")
    fleet = Fleet(stack.addresses.settings(Settings.read()))
    worker = next(child for child in stack.children if child.name == "infer")
    worker.kill()
    stack.forget(worker)
    stopped = stack.add_worker("infer", "infer", 1, model=True)
    job = fleet.enqueue(upload(fleet, CLIP), Options(render=False), batch_frames=115, force=True)
    until(lambda: job.job_id in fleet.ledger.running_jobs() and fleet.info(job.job_id).state == "inferring")
    stopped.ask_to_stop()
    stopped.stop()
    stack.forget(stopped)
    assert not job.status().state.final
    stack.add_worker("infer", "infer", 1, model=True)
    assert job.wait(120).state == "succeeded"
    assert fleet.progress.redis.hget(ProgressKeys(job.job_id).attempts, f"infer:{range_name(0, 115)}") == "1"
