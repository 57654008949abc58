"""The API as the local stack serves it: from a file's upload to its results."""

import hashlib
import json
import time

import anyio
import httpx2 as httpx
import pytest

from producer import AsyncFleet
from producer.api.tokens import TokenFile
from schema.errors import VideoError
from schema.messages import FrameBatch
from schema.settings import Settings
from schema.skeleton import KEYPOINTS
from tests.support.media import CLIP
from workers.stages.dead import bury
from workers.storage.records import read_plan

pytestmark = pytest.mark.stack
WAIT_S = 120


def client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture(scope="module")
def api(stack):
    with client(stack.addresses.api_url, stack.addresses.api_token) as found:
        yield found


@pytest.fixture(scope="module")
def uri(api):
    body = CLIP.read_bytes()
    begun = api.post("/v1/uploads", json={"name": CLIP.name, "size": len(body)}).json()
    etag = httpx.put(begun["parts"][0]["url"], content=body).headers["etag"]
    parts = [{"number": 1, "etag": etag}]
    return api.post(f"/v1/uploads/{begun['upload_id']}/complete", json={"parts": parts}).json()["uri"]


@pytest.fixture(scope="module")
def watched(api, uri):
    """A job that was followed to its end: its id, and all that was told."""
    made = api.post("/v1/jobs", json={"uri": uri, "options": {"kinematics": True}})
    assert made.status_code == 201
    job = made.json()["job_id"]
    with api.stream("GET", f"/v1/jobs/{job}/events", timeout=WAIT_S) as stream:
        told = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    return job, told


def test_progress_is_told_until_the_end(watched):
    job, told = watched
    assert {each["job_id"] for each in told} == {job}
    assert [each["state"] for each in told].index("succeeded") == len(told) - 1
    done = [each["steps"]["infer"]["done"] for each in told if each["steps"]]
    assert done == sorted(done)
    assert told[-1]["steps"]["render"] == {"done": 230, "total": 230}
    assert (told[-1]["people"], told[-1]["frames"]) == (2, 230)


def test_results_are_links_to_what_the_manifest_lists(api, watched):
    job, _ = watched
    links = api.get(f"/v1/jobs/{job}/results").json()
    manifest = api.get(f"/v1/jobs/{job}/manifest").json()
    assert {link["name"]: link["sha256"] for link in links["results"]} == {
        result["name"]: result["sha256"] for result in manifest["results"]
    }
    by_name = {link["name"]: link for link in links["results"]}
    got = httpx.get(by_name["annotated.mp4"]["url"])
    assert hashlib.sha256(got.content).hexdigest() == by_name["annotated.mp4"]["sha256"]
    assert got.headers["content-type"] == by_name["annotated.mp4"]["media_type"] == "video/mp4"
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''annotated.mp4")
    assert by_name["poster.jpg"]["media_type"] == "image/jpeg"
    part = httpx.get(links["source_url"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, CLIP.read_bytes()[:100])


def test_tracks_come_by_time(api, watched):
    job, _ = watched
    asked = f"/v1/jobs/{job}/tracks"
    every = api.get(asked).json()
    assert (every["keypoints"], every["width"], every["height"]) == (list(KEYPOINTS), 854, 480)
    assert [0, 1] in every["skeleton"]
    assert every["next_s"] is None
    first = api.get(asked, params={"to_s": 2}).json()
    rest = api.get(asked, params={"from_s": first["next_s"]}).json()
    assert first["frames"] + rest["frames"] == every["frames"]
    assert max(frame["t"] for frame in first["frames"]) < 2 <= first["next_s"]
    frame = next(frame for frame in every["frames"] if len(frame["people"]) == 2)
    assert {len(person["k"]) for person in frame["people"]} == {51}
    assert api.get(asked, params={"raw": True}).json()["frames"] != every["frames"]
    assert api.get(asked, params={"from_s": 1000}).json()["frames"] == []


def test_angles_come_by_track(api, watched):
    job, _ = watched
    found = api.get(f"/v1/jobs/{job}/angles", params={"to_s": 3}).json()
    assert "left_knee" in found["names"]
    assert set(found["tracks"]) >= {"1"}
    for track in found["tracks"].values():
        assert len(track["t"]) == len(track["left_knee"])
        assert track["t"] == sorted(track["t"])


def test_no_token_stands_in_a_log(stack, watched):
    token = stack.addresses.api_token.encode()
    assert not [child.name for child in stack.children if token in child.log.read_bytes()]


def test_a_foreign_token_sees_nothing(stack, watched):
    secret = TokenFile(Settings.read().tokens_file).create("stranger", ["read", "submit", "manage"])
    with client(stack.addresses.api_url, secret) as stranger:
        assert stranger.get(f"/v1/jobs/{watched[0]}").status_code == 404
        assert stranger.get("/v1/jobs").json() == {"jobs": [], "cursor": ""}
        TokenFile(Settings.read().tokens_file).revoke("stranger")
        assert stranger.get("/v1/jobs").status_code == 401


def test_a_running_job_is_cancelled_and_deleted(api, uri):
    job = api.post("/v1/jobs", json={"uri": uri, "options": {"quality": "best"}, "force": True}).json()["job_id"]
    assert api.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert api.delete(f"/v1/jobs/{job}").status_code == 204
    assert api.get(f"/v1/jobs/{job}").status_code == 404
    assert job not in {each["job_id"] for each in api.get("/v1/jobs").json()["jobs"]}


def test_dead_batches_are_told_and_done_again(api, fleet, uri):
    body = {"uri": uri, "options": {"render": False}, "force": True}
    job = api.post("/v1/jobs", json=body).json()["job_id"]
    plan_is_known = time.monotonic() + WAIT_S
    while not api.get(f"/v1/jobs/{job}").json()["frames"]:
        assert time.monotonic() < plan_is_known
    last = read_plan(fleet.store, job).ranges[-1]
    batch = FrameBatch(job_id=job, start=last.start, stop=last.stop)
    bury(store=fleet.store, step="infer", batch=batch, error=VideoError("broken"), trace="secret", worker="w1")
    ended = fleet.job(job).wait(WAIT_S)
    assert ended.state == "partial"
    [letter] = api.get(f"/v1/jobs/{job}/dead").json()["letters"]
    assert (letter["start"], letter["error"]["message"], letter["worker"]) == (last.start, "broken", "w1")
    assert "secret" not in str(letter)
    again = api.post(f"/v1/jobs/{job}/retry")
    assert again.status_code == 201
    assert fleet.job(again.json()["job_id"]).wait(WAIT_S).state == "succeeded"


def test_the_fleet_can_be_awaited(fleet, uri, watched, tmp_path):
    async def use() -> None:
        there = AsyncFleet(fleet.settings)
        job = await there.job(watched[0])
        assert (await job.wait(WAIT_S)).state == (await there.info(job.job_id)).state == "succeeded"
        assert (await job.tracks()).num_rows > 200
        assert (await job.angles()).num_rows > 200
        assert (await there.fetch_result(job.job_id, "poster.jpg", tmp_path / "poster.jpg")).exists()
        made = await there.enqueue(uri, force=True, priority="normal", submitter="ann")
        assert not (await there.status(made.job_id)).state.final
        with pytest.raises(TimeoutError):
            await made.wait(0.0)
        assert await there.cancel(made.job_id)
        assert made.job_id in [found.job_id async for found in there.jobs()]
        assert [info.job_id for info in (await there.list_jobs(submitter="ann")).jobs] == [made.job_id]
        assert await there.delete(made.job_id) > 0

    anyio.run(use)
