"""A worker that is stopped in the middle of a batch, and another that goes on."""

import sys

import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.process import Child, Command
from producer.stack.stack import Stack
from schema.messages import FrameBatch
from schema.names import TASK_INFER, ProgressKeys, range_name
from schema.options import Options
from schema.queue import make_app, send
from schema.settings import Settings
from tests.support.media import CLIP
from tests.support.waiting import until

pytestmark = pytest.mark.stack


def test_a_process_without_its_model_takes_nothing(progress, redis_url, tmp_path):
    send(make_app(Settings(redis_url=redis_url)), TASK_INFER, [FrameBatch(job_id="j", start=0, stop=9)])
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "--queues", "infer", "--concurrency", "1"]
    named = {"POSEFLEET_REDIS_URL": redis_url, "POSEFLEET_WARM_MODEL": "1", "POSEFLEET_READY_DIR": str(tmp_path / "r")}
    named["POSEFLEET_CACHE_DIR"] = str(tmp_path / "empty")
    worker = Child(Command("worker", [*command, "--without-gossip", "--without-mingle"], named, 10), tmp_path)
    try:
        worker.wait_until(lambda: worker.log.read_text().count("no model, so this process ends") >= 2, 90)
    finally:
        worker.kill()
    assert "run 'posefleet model pull'" in worker.log.read_text()
    assert progress.redis.llen("posefleet:infer") == 1
    assert not list((tmp_path / "r").glob("process-*"))


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
