"""No secret stands in a message, a log, a record, on Flower's pages or in an error."""

import socket
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import psutil
import pytest

from producer import Fleet
from producer.inputs import upload
from producer.stack.stack import Stack
from schema.errors import ConfigurationError, PosefleetError
from schema.messages import JobReference
from schema.options import Options
from schema.queue import make_app, send
from schema.settings import Settings
from tests.support.command import posefleet
from tests.support.flower import flower
from tests.support.media import CLIP
from workers.storage.progress import connect

pytestmark = pytest.mark.stack

PAGES = ("/", "/workers", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/worker/infer@{host}")


def test_a_job_leaves_no_secret_anywhere(stack: Stack, fleet: Fleet):
    secret = stack.addresses.s3_secret_access_key.encode()
    assert secret.decode() in stack.addresses.redis_url
    fleet.enqueue(f"s3://{fleet.store.bucket}/nothing/here.mp4").wait(60)
    broken = fleet.enqueue(upload(fleet, Path(__file__)), force=True)
    done = fleet.enqueue(upload(fleet, CLIP), Options(render=False), force=True)
    assert (broken.wait(60).state, done.wait(60).state) == ("failed", "succeeded")
    logs = [child.log for child in stack.children]
    objects = [fleet.store.get(found.key) for found in fleet.store.objects("jobs/")]
    assert len(logs) > 3
    assert len(objects) > 5
    assert not [log for log in logs if secret in log.read_bytes()]
    assert not [body for body in objects if secret in body]
    assert not [page for page in PAGES if secret in page_of(stack, page)]


def test_flower_asks_for_a_password_that_stands_in_no_command_and_no_log(stack: Stack):
    password = stack.addresses.flower_auth.partition(":")[2]
    without = replace(stack.addresses, flower_auth="posefleet:guess")
    for path in ("/tasks", "/api/tasks", "/worker/infer@host"):
        with pytest.raises(HTTPError) as caught:
            flower(without, path)
        assert caught.value.code == 401
        caught.value.close()
    assert b"<title>" in flower(stack.addresses, "/tasks")
    assert len(password) >= 12
    for child in stack.children:
        assert password not in " ".join(psutil.Process(child.pid).cmdline())
        assert password not in child.log.read_text()


def page_of(stack: Stack, path: str) -> bytes:
    try:
        return flower(stack.addresses, path.format(host=socket.gethostname()))
    except HTTPError as error:
        return error.read()


def test_messages_on_the_queue_hold_references_only(fleet: Fleet, stack: Stack):
    secret = stack.addresses.s3_secret_access_key
    job = fleet.enqueue(f"s3://{fleet.store.bucket}/nothing/here.mp4")
    settings = fleet.settings.model_copy(update={"redis_url": fleet.settings.redis_url.replace("/0", "/1")})
    app = make_app(settings)
    send(app, "posefleet.split", [JobReference(job_id=job.job_id)])
    client = connect(settings.redis_url)
    (message,) = client.lrange("posefleet:plan", 0, -1)
    client.flushdb()
    client.close()
    app.close()
    assert secret not in message
    assert len(message) < 2000


@pytest.mark.parametrize("url", ["redis://:tops3cret@host:tops3cret/0", "http://user:tops3cret@host", "tops3cret"])
def test_a_wrong_address_is_refused_without_being_told(url, monkeypatch):
    monkeypatch.setenv("POSEFLEET_REDIS_URL", url)
    with pytest.raises(ConfigurationError) as caught:
        Settings.read()
    assert "tops3cret" not in str(caught.value)
    ran = posefleet("jobs", POSEFLEET_REDIS_URL=url)
    assert ran.returncode == 2
    assert "POSEFLEET_REDIS_URL is no address" in ran.stderr
    assert "tops3cret" not in ran.stdout + ran.stderr


def test_a_wrong_secret_is_not_told(fleet: Fleet):
    other = Fleet(fleet.settings.model_copy(update={"s3_secret_access_key": "tops3cret"}))
    with pytest.raises(PosefleetError) as caught:
        other.job("some")
    assert "tops3cret" not in str(caught.value)
