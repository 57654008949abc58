"""A worker process that is killed in the middle of a job, and another that goes on."""

import time

import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.options import Options
from schema.settings import Settings
from tests.support.media import CLIP

pytestmark = pytest.mark.stack


def test_another_worker_finishes_with_the_same_tracks(stack: Stack):
    fleet = Fleet(stack.addresses.settings(Settings.read()))
    uri = upload(fleet, CLIP)
    undisturbed = fleet.enqueue(uri, Options(render=False), force=True)
    assert undisturbed.wait(120).state == "succeeded"

    disturbed = fleet.enqueue(uri, Options(render=False), batch_frames=20, force=True)
    worker = next(child for child in stack.children if child.name == "infer")
    while not (done := disturbed.status().steps.get("infer")) or done.done == 0:
        time.sleep(0.02)
    worker.kill()
    assert not disturbed.status().state.final
    stack.forget(worker)
    stack.add_worker("infer", "infer", 1, model=True)
    assert disturbed.wait(120).state == "succeeded"
    assert disturbed.tracks().equals(undisturbed.tracks())
