"""Webhooks are told, signed, until they answer."""

import json
import sys
import time

from producer import notify
from producer.fleet import Fleet
from producer.notify import Notifier, sign
from producer.post import Undelivered
from producer.stack.process import Child, Command
from schema.names import NOTICES, JobKeys, NoticeKeys
from tests.support.api import SECRET


def watched_job(ann, uri, receiver) -> str:
    hook = f"http://127.0.0.1:{receiver.server_address[1]}/x"
    return ann.post("/v1/jobs", json={"uri": uri, "force": True, "webhook": hook}).json()["job_id"]


def test_a_webhook_is_told_signed_and_again_until_it_answers(ann, uri, fleet, receiver, caplog):
    receiver.statuses = [500, 302, 200]
    job = watched_job(ann, uri, receiver)
    assert Notifier(fleet).look() == 0
    ann.post(f"/v1/jobs/{job}/cancel")
    notice, held = JobKeys(job).notice, NoticeKeys(job).held
    assert fleet.store.head(notice) is not None
    for told in (0, 0, 1):
        assert Notifier(fleet).look() == told
        assert Notifier(fleet).look() == 0
        fleet.progress.redis.delete(held)
    assert fleet.store.head(notice) is None
    assert len({body for _, body in receiver.got}) == 1
    headers, body = receiver.got[-1]
    told = json.loads(body)
    assert (told["event"], told["id"], told["job"]["state"]) == ("job.ended", f"{job}-ended", "cancelled")
    since = int(headers["Posefleet-Signature"].split(",")[0].removeprefix("t="))
    assert headers["Posefleet-Signature"] == sign(SECRET, body, since)
    assert abs(time.time() - since) < 60
    assert caplog.text.count("is tried again") == 1
    assert SECRET not in caplog.text


def test_a_notice_waits_for_the_manifest_and_is_dropped_with_the_job(ann, uri, fleet, receiver):
    receiver.statuses = [200, 200]
    job = watched_job(ann, uri, receiver)
    fleet.store.put_new(JobKeys(job).notice, b"")
    assert Notifier(fleet).look() == 0
    assert fleet.store.head(JobKeys(job).notice) is not None
    ann.delete(f"/v1/jobs/{job}")
    fleet.store.put_new(JobKeys(job).notice, b"")
    fleet.progress.redis.delete(NoticeKeys(job).held)
    Notifier(fleet).look()
    assert list(fleet.store.objects(NOTICES)) == []
    assert receiver.got == []


def test_a_webhook_that_is_no_longer_allowed_is_not_told(ann, uri, fleet, receiver):
    job = watched_job(ann, uri, receiver)
    ann.post(f"/v1/jobs/{job}/cancel")
    strict = Fleet(fleet.settings.model_copy(update={"webhook_hosts": ""}))
    assert Notifier(strict).look() == 0
    assert receiver.got == []
    assert fleet.store.head(JobKeys(job).notice) is None


def test_who_is_slow_to_fail_is_left_alone_and_keeps_nobody_waiting(ann, bob, uri, fleet, receiver, monkeypatch):
    monkeypatch.setattr(notify, "_AT_ONCE", 1)
    monkeypatch.setattr(notify, "_SLOW_S", 0.0)
    tried: list[str] = []

    def fail(url: str, *_: object, **__: object) -> int:
        tried.append(url)
        raise Undelivered("no answer")

    monkeypatch.setattr(notify, "post", fail)
    jobs = [watched_job(ann, uri, receiver) for _ in range(3)]
    for job in jobs:
        ann.post(f"/v1/jobs/{job}/cancel")
    notifier = Notifier(fleet)
    notifier.look()
    assert len(tried) == 1
    monkeypatch.undo()
    receiver.statuses = [200] * 3
    for job in jobs:
        fleet.progress.redis.delete(NoticeKeys(job).held)
    assert Notifier(fleet).look() == 3


def test_a_look_takes_no_more_than_it_can_try_soon(ann, uri, fleet, receiver, monkeypatch):
    monkeypatch.setattr(notify, "_MOST", 2)
    receiver.statuses = [200] * 3
    for job in [watched_job(ann, uri, receiver) for _ in range(3)]:
        ann.post(f"/v1/jobs/{job}/cancel")
    assert [Notifier(fleet).look() for _ in range(3)] == [2, 1, 0]


def test_the_sweeper_process_tells_webhooks(ann, uri, fleet, receiver, tmp_path):
    receiver.statuses = [200]
    job = watched_job(ann, uri, receiver)
    ann.post(f"/v1/jobs/{job}/cancel")
    named = ("redis_url", "s3_endpoint", "s3_access_key_id", "s3_secret_access_key", "webhook_secret", "webhook_hosts")
    environment = {f"POSEFLEET_{name.upper()}": str(getattr(fleet.settings, name)) for name in named}
    sweeper = Child(Command("sweeper", [sys.executable, "-m", "producer", "sweep"], environment), tmp_path)
    try:
        sweeper.wait_until(lambda: bool(receiver.got), 60)
        sweeper.wait_until(lambda: fleet.store.head(JobKeys(job).notice) is None, 60)
    finally:
        sweeper.kill()
    assert json.loads(receiver.got[0][1])["job"]["job_id"] == job
    assert SECRET not in sweeper.log.read_text()
