"""Notifications that object stores send over HTTP, SeaweedFS's as the server sends them."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from producer import Fleet
from producer.events import PATH
from producer.events.listing import Listing
from producer.events.webhook import MOST_BYTES
from producer.stack.stack import Stack
from schema.errors import ConfigurationError
from tests.support import notifications
from tests.support.media import CLIP
from tests.support.serving import serving
from tests.support.telling import application
from tests.support.uploads import TOKEN, Uploads
from tests.support.waiting import until

pytestmark = pytest.mark.stack
WAIT_S = 60
NOWHERE = "redis://127.0.0.1:1/0"


@contextmanager
def webhook(uploads: Uploads) -> Iterator[None]:
    """The application where the object store expects it."""
    with serving(application(uploads.fleet), uploads.port):
        yield


def post(url: str, body: str, token: str = TOKEN) -> tuple[int, dict]:
    request = urllib.request.Request(url, body.encode(), {"Authorization": f"Bearer {token}"}, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_upload_to_seaweedfs_enqueues_itself(uploads: Uploads):
    with webhook(uploads):
        uploads.put("videos/a b+ü %.mp4", b"one")
        uploads.put("videos/notes.txt")
        uploads.put("elsewhere/a.mp4")
        until(lambda: uploads.keys() == ["videos/a b+ü %.mp4"], WAIT_S, "no job")
        uploads.put("videos/a b+ü %.mp4", b"another")
        until(lambda: len(uploads.jobs()) == 2, WAIT_S, "no job of the new version")
    assert set(uploads.keys()) == {"videos/a b+ü %.mp4"}


def test_the_local_stack_takes_uploads_by_itself(stack: Stack, fleet: Fleet):
    fleet.store.put_new_file("watched/clip.mp4", CLIP, "video/mp4")
    until(lambda: fleet.list_jobs(search="watched/clip.mp4").jobs, WAIT_S, "no job")
    (job,) = fleet.list_jobs(search="watched/clip.mp4").jobs
    assert job.submitter == "events:posefleet"
    fleet.cancel(job.job_id)


def test_what_seaweedfs_told_while_nobody_listened_is_found_by_listing(uploads: Uploads):
    uploads.put("videos/early.mp4")
    with webhook(uploads):
        uploads.put("videos/late.mp4")
        until(lambda: uploads.keys() == ["videos/late.mp4"], WAIT_S, "no job")
    assert len(Listing(uploads.fleet).look().jobs) == 1
    assert uploads.keys() == ["videos/early.mp4", "videos/late.mp4"]


def test_who_tells_is_not_told_that_it_went_well_before_redis_has_the_job(uploads: Uploads):
    uploads.put("videos/a.mp4")
    body = notifications.minio("videos/a.mp4")
    with serving(application(uploads.with_settings(redis_url=NOWHERE, patience_s=0))) as address:
        status, told = post(f"{address}{PATH}", body)
        assert status == 503
        assert "Redis" in told["detail"]
        assert taken(uploads) == []
    with serving(application(uploads.fleet)) as address:
        assert post(f"{address}{PATH}", body) == (200, {"jobs": [uploads.jobs()[0].job_id]})
    assert len(taken(uploads)) == 1
    assert uploads.fleet.ledger.alive(uploads.jobs()[0].job_id, "split", ["all"])


def test_an_answer_names_the_jobs(uploads: Uploads):
    uploads.put("videos/a.mp4")
    with serving(application(uploads.fleet)) as address:
        answers = [
            post(f"{address}{PATH}", told("videos/a.mp4"))
            for told in (notifications.minio, notifications.aws)
            for _ in "12"
        ]
        assert post(f"{address}{PATH}", notifications.aws("elsewhere/a.mp4")) == (200, {"jobs": []})
    assert answers == [(200, {"jobs": [uploads.jobs()[0].job_id]})] * 4


def test_who_may_not_send_events_is_refused(uploads: Uploads):
    with serving(application(uploads.fleet)) as address:
        assert post(f"{address}{PATH}", notifications.aws("videos/a.mp4"), token="guessed")[0] == 401


def test_what_cannot_be_read_is_refused(uploads: Uploads):
    with serving(application(uploads.fleet)) as address:
        assert post(f"{address}{PATH}", "{}") == (422, {"detail": "a notification of an unknown shape, with nothing"})
        status, told = post(f"{address}{PATH}", " " * (MOST_BYTES + 1))
        assert (status, told) == (422, {"detail": f"a notification of more than {MOST_BYTES} bytes"})


def test_settings_that_cannot_be_meant_are_refused_at_the_start(uploads: Uploads):
    with pytest.raises(ConfigurationError, match="give s3://bucket/prefix/"):
        application(uploads.with_settings(watch="footage"))


def taken(uploads: Uploads) -> list[str]:
    return list(uploads.fleet.store.folders("taken/"))
