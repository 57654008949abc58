"""Notifications on a queue of SQS, emulated by moto over HTTP."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from producer.events.sqs import Poller
from schema.errors import BrokerUnavailable, ConfigurationError, QueueUnavailable
from tests.support import notifications
from tests.support.uploads import BUCKET, Uploads
from tests.support.waiting import until
from workers.storage.sqs import MessageQueue

pytestmark = pytest.mark.stack
WAIT_S = 60
NOWHERE = "redis://127.0.0.1:1/0"


@dataclass
class Queue:
    """A queue, and one for what was received three times in vain."""

    client: Any
    url: str
    dead_url: str

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self, url: str = "") -> int:
        """Messages that wait or were received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        return sum(int(count) for count in found["Attributes"].values())


def start_moto(port: int = 0) -> ThreadedMotoServer:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server


def make_queue(server: ThreadedMotoServer) -> Queue:
    host, port = server.get_host_and_port()
    client = boto3.client(
        "sqs",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    )
    name = f"queue-{time.time_ns()}"
    dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    attributes = {"VisibilityTimeout": "1", "RedrivePolicy": redrive}
    return Queue(client, client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dead)


@pytest.fixture
def queue() -> Iterator[Queue]:
    server = start_moto()
    yield make_queue(server)
    server.stop()


def poller(uploads: Uploads, queue: Queue) -> Poller:
    return Poller(uploads.fleet, MessageQueue(queue.url, uploads.fleet.settings))


def test_messages_become_jobs_and_are_deleted(uploads: Uploads, queue: Queue):
    for name in ("a.mp4", "b c+d.mp4"):
        uploads.put(f"videos/{name}")
    queue.send(notifications.test_event(), notifications.aws("videos/a.mp4"), notifications.aws("videos/a.mp4"))
    queue.send(notifications.sns(notifications.aws("videos/b c+d.mp4")), notifications.aws("videos/gone.mp4"))
    mine = poller(uploads, queue)
    until(lambda: mine.turn(wait_s=0) + queue.left() == 0, WAIT_S, "messages are left")
    assert uploads.keys() == ["videos/a.mp4", "videos/b c+d.mp4"]
    assert {job.submitter for job in uploads.jobs()} == {f"events:{BUCKET}"}
    assert queue.left(queue.dead_url) == 0


def test_poison_is_left_to_the_redrive_policy_and_logged_once(uploads: Uploads, queue: Queue, caplog):
    uploads.put("videos/a.mp4")
    queue.send("poison", notifications.aws("videos/a.mp4"))
    mine = poller(uploads, queue)
    until(lambda: mine.turn(wait_s=1) + queue.left() == 0, WAIT_S, "messages are left")
    assert queue.left(queue.dead_url) == 1
    assert ["redrive policy" in line for line in caplog.messages] == [True]
    assert uploads.keys() == ["videos/a.mp4"]


def test_messages_stay_while_redis_is_away(uploads: Uploads, queue: Queue):
    uploads.put("videos/a.mp4")
    queue.send(notifications.aws("videos/a.mp4"))
    away = Poller(
        uploads.with_settings(redis_url=NOWHERE, patience_s=0), MessageQueue(queue.url, uploads.fleet.settings)
    )
    with pytest.raises(BrokerUnavailable):
        away.turn(wait_s=0)
    assert queue.left() == 1
    mine = poller(uploads, queue)
    until(lambda: mine.turn(wait_s=1) + queue.left() == 0, WAIT_S, "messages are left")
    assert uploads.keys() == ["videos/a.mp4"]


def test_what_was_accepted_is_deleted_though_redis_goes_away_after_it(uploads: Uploads, queue: Queue, monkeypatch):
    queue.send(notifications.aws("videos/gone.mp4"), notifications.aws("videos/a.mp4"))
    uploads.put("videos/a.mp4")
    away = Poller(
        uploads.with_settings(redis_url=NOWHERE, patience_s=0), MessageQueue(queue.url, uploads.fleet.settings)
    )
    with pytest.raises(BrokerUnavailable):
        until(lambda: away.turn(wait_s=1) is None, WAIT_S, "Redis is not away")
    assert queue.left() == 1


def test_a_queue_that_is_not_there_is_said(uploads: Uploads, queue: Queue):
    with pytest.raises(ConfigurationError, match=r"SQS refused .*NonExistentQueue"):
        MessageQueue(f"{queue.url}-none", uploads.fleet.settings).receive(0)
    with pytest.raises(ConfigurationError, match="give the URL of an SQS queue"):
        MessageQueue("uploads", uploads.fleet.settings)
    with pytest.raises(QueueUnavailable, match="did not answer"):
        MessageQueue("http://127.0.0.1:1/123456789012/uploads", uploads.fleet.settings).receive(0)


@contextmanager
def polling(uploads: Uploads, url: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """``posefleet events sqs``."""
    settings = uploads.fleet.settings
    names = ("redis_url", "s3_endpoint", "s3_access_key_id", "s3_secret_access_key", "bucket", "watch")
    environment = {f"POSEFLEET_{name}".upper(): str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", "producer", "events", "sqs", url]
    with log.open("wb") as output, subprocess.Popen(command, env=os.environ | environment, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_polls_until_it_is_told_to_end(uploads: Uploads, queue: Queue, tmp_path: Path):
    log = tmp_path / "log"
    with polling(uploads, queue.url, log) as process:
        uploads.put("videos/a.mp4")
        queue.send(notifications.aws("videos/a.mp4"))
        until(lambda: uploads.keys() == ["videos/a.mp4"] and queue.left() == 0, WAIT_S, "no job")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    assert log.read_text() == ""


def test_the_command_waits_for_a_queue_that_is_away(uploads: Uploads, tmp_path: Path):
    log, servers = tmp_path / "log", [start_moto()]
    queue = make_queue(servers[0])
    port = servers[0].get_host_and_port()[1]
    uploads.put("videos/a.mp4")
    queue.send(notifications.aws("videos/a.mp4"))
    servers[0].stop()
    with polling(uploads, queue.url, log):
        until(lambda: "SQS is away: waiting" in log.read_text(), WAIT_S, "it does not wait")
        servers.append(start_moto(port))
        until(lambda: uploads.keys() == ["videos/a.mp4"] and queue.left() == 0, WAIT_S, "no job")
        assert "SQS is back" in log.read_text()
    servers[1].stop()
