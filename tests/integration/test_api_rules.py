"""The API's rules against real Redis and S3, without workers: nothing moves by itself."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from producer.api.app import make_app
from producer.api.tokens import TokenFile
from producer.fleet import Fleet
from producer.notify import Notifier, sign
from schema.names import NOTICES, JobKeys, NoticeKeys

SECRET = "a secret for webhooks"


@pytest.fixture(scope="module")
def fleet(quiet_fleet):
    update = {"webhook_secret": SECRET, "webhook_hosts": "127.0.0.1", "api_requests_per_s": 1000.0}
    return Fleet(quiet_fleet.settings.model_copy(update=update))


@pytest.fixture(scope="module")
def app(fleet):
    return make_app(fleet)


@pytest.fixture(scope="module")
def as_token(fleet, app):
    """A client of a new token, by name and scopes."""

    def client(name: str, *scopes: str) -> TestClient:
        secret = TokenFile(fleet.settings.tokens_file).create(name, scopes, replace=True)
        return TestClient(app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False)

    return client


@pytest.fixture(scope="module")
def ann(as_token):
    return as_token("ann", "read", "submit", "manage")


@pytest.fixture(scope="module")
def bob(as_token):
    return as_token("bob", "read", "submit", "manage")


@pytest.fixture(scope="module")
def boss(as_token):
    return as_token("boss", "admin")


@pytest.fixture(scope="module")
def uri(ann):
    return upload(ann, b"no video " * 100)


@pytest.fixture
def job(ann, uri):
    return ann.post("/v1/jobs", json={"uri": uri, "force": True}).json()["job_id"]


def upload(client, body: bytes, name="a.mp4") -> str:
    begun = client.post("/v1/uploads", json={"name": name, "size": len(body)}).json()
    etag = httpx.put(begun["parts"][0]["url"], content=body).headers["etag"]
    done = client.post(f"/v1/uploads/{begun['upload_id']}/complete", json={"parts": [{"number": 1, "etag": etag}]})
    assert done.json() == {"uri": begun["uri"]}
    return begun["uri"]


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    return body["detail"]


CALLS = [
    ("GET", "/v1/jobs", None),
    ("POST", "/v1/jobs", {"uri": "s3://posefleet/uploads/ann/x/a.mp4"}),
    ("POST", "/v1/uploads", {"name": "a", "size": 1}),
    ("GET", "/v1/uploads/abc/parts", None),
    ("POST", "/v1/uploads/abc/complete", {"parts": [{"number": 1, "etag": "x"}]}),
    ("DELETE", "/v1/uploads/abc", None),
    *(("GET", f"/v1/jobs/abc{rest}", None) for rest in ("", "/events", "/manifest", "/results", "/dead", "/tracks")),
    ("GET", "/v1/jobs/abc/angles", None),
    *(("POST", f"/v1/jobs/abc/{rest}", None) for rest in ("cancel", "retry")),
    ("DELETE", "/v1/jobs/abc", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_nobody_gets_anywhere_without_a_token_that_may(app, as_token, method, path, body):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
        answer = TestClient(app).request(method, path, json=body, headers=headers)
        is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert "lacks the scope" in is_problem(as_token("none", "events").request(method, path, json=body), 403)


def test_health_and_page_need_no_token_and_the_page_loads_nothing_from_elsewhere(app, fleet):
    client = TestClient(app)
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert fleet.settings.s3_endpoint in policy["connect-src"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/jobs").headers["cache-control"] == "no-store"
    for trick in ("/page/../app.py", "/page/..%2fapp.py", "/page/%2e%2e/app.py", "/page//etc/passwd"):
        is_problem(client.get(trick), 404)


def test_metrics_count_answers_by_route_and_name_no_job(app, ann, job):
    ann.get(f"/v1/jobs/{job}")
    ann.get("/nothing/here")
    text = TestClient(app).get("/metrics").text
    assert 'posefleet_api_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"}' in text
    assert 'route="other",status="404"' in text
    assert job not in text


def test_an_upload_in_parts_is_one_object_of_its_own_key(ann, fleet):
    size = (16 << 20) + 5
    begun = ann.post("/v1/uploads", json={"name": "../../my video.mp4", "size": size}).json()
    assert begun["uri"].startswith(f"s3://{fleet.store.bucket}/uploads/ann/")
    assert begun["uri"].endswith("/.._.._my video.mp4")
    assert begun["part_size"] == 16 << 20
    assert [part["number"] for part in begun["parts"]] == [1, 2]
    bodies = [b"a" * (16 << 20), b"b" * 5]
    links = ann.get(f"/v1/uploads/{begun['upload_id']}/parts", params={"first": 2}).json()["parts"]
    assert [part["number"] for part in links] == [2]
    urls = [begun["parts"][0]["url"], links[0]["url"]]
    etags = [httpx.put(url, content=body).headers["etag"] for url, body in zip(urls, bodies, strict=True)]
    parts = [{"number": number, "etag": etag} for number, etag in enumerate(etags, start=1)]
    for _ in range(2):
        done = ann.post(f"/v1/uploads/{begun['upload_id']}/complete", json={"parts": parts})
        assert done.json() == {"uri": begun["uri"]}
    key = begun["uri"].removeprefix(f"s3://{fleet.store.bucket}/")
    assert fleet.store.head(key).size == size


def test_an_upload_is_nobody_elses_and_can_be_given_up(ann, bob, boss):
    begun = ann.post("/v1/uploads", json={"name": "a.mp4", "size": 100}).json()
    path = f"/v1/uploads/{begun['upload_id']}"
    is_problem(bob.get(f"{path}/parts"), 404)
    is_problem(bob.delete(path), 404)
    is_problem(bob.post(f"{path}/complete", json={"parts": [{"number": 1, "etag": "x"}]}), 404)
    assert boss.get(f"{path}/parts").status_code == 200
    assert ann.delete(path).status_code == 204
    assert ann.delete(path).status_code == 204
    is_problem(ann.post(f"{path}/complete", json={"parts": [{"number": 1, "etag": '"x"'}]}), 404)


def test_parts_that_were_not_uploaded_make_no_file(ann):
    begun = ann.post("/v1/uploads", json={"name": "a.mp4", "size": 100}).json()
    path = f"/v1/uploads/{begun['upload_id']}/complete"
    httpx.put(begun["parts"][0]["url"], content=b"a" * 100).raise_for_status()
    is_problem(ann.post(path, json={"parts": [{"number": 1, "etag": '"0123"'}]}), 422)
    is_problem(ann.post(path, json={"parts": [{"number": 2, "etag": '"0123"'}]}), 422)


def test_the_store_lets_pages_upload_and_read_the_etag(ann):
    url = ann.post("/v1/uploads", json={"name": "a.mp4", "size": 3}).json()["parts"][0]["url"]
    origin = {"Origin": "http://page.example"}
    asked = httpx.options(url, headers={**origin, "Access-Control-Request-Method": "PUT"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "http://page.example")
    put = httpx.put(url, content=b"abc", headers=origin)
    assert put.headers["access-control-expose-headers"] == "ETag"


def test_a_job_is_created_once_listed_and_found(ann, uri):
    first = ann.post("/v1/jobs", json={"uri": uri, "options": {"quality": "balanced"}, "priority": "normal"})
    again = ann.post("/v1/jobs", json={"uri": uri, "options": {"quality": "balanced"}})
    assert (first.status_code, again.status_code) == (201, 200)
    info = first.json()
    assert first.headers["location"] == again.headers["location"] == f"/v1/jobs/{info['job_id']}"
    assert (info["submitter"], info["state"], info["priority"], info["uri"]) == ("ann", "queued", "normal", uri)
    assert ann.get(f"/v1/jobs/{info['job_id']}").json() == info
    assert info in ann.get("/v1/jobs", params={"state": "queued", "search": info["job_id"][:8]}).json()["jobs"]


def test_pages_of_jobs_follow_each_other(ann, uri):
    made = [ann.post("/v1/jobs", json={"uri": uri, "force": True}).json()["job_id"] for _ in range(3)]
    first = ann.get("/v1/jobs", params={"limit": 2}).json()
    rest = ann.get("/v1/jobs", params={"limit": 1, "cursor": first["cursor"]}).json()
    assert [job["job_id"] for job in first["jobs"] + rest["jobs"]] == made[::-1]
    for cursor in ("x", "nan:abc", "1e999:abc", "(1:abc", "1:a b"):
        is_problem(ann.get("/v1/jobs", params={"cursor": cursor}), 422)


def test_a_job_of_another_submitter_does_not_exist(ann, bob, boss, job, uri):
    assert ann.get(f"/v1/jobs/{job}").status_code == boss.get(f"/v1/jobs/{job}").status_code == 200
    unknown = is_problem(bob.get("/v1/jobs/" + "0" * 20), 404)
    assert is_problem(bob.get(f"/v1/jobs/{job}"), 404) == unknown.replace("0" * 20, job)
    for method, path, _ in CALLS:
        if "/jobs/abc" in path:
            is_problem(bob.request(method, path.replace("abc", job)), 404)
    assert job not in {each["job_id"] for each in bob.get("/v1/jobs").json()["jobs"]}
    assert job in {each["job_id"] for each in boss.get("/v1/jobs").json()["jobs"]}
    is_problem(bob.post("/v1/jobs", json={"uri": uri}), 403)


def test_a_job_of_an_opened_bucket_that_somebody_else_has_is_not_shown(quiet_fleet, as_token, app, uri):
    opened = quiet_fleet.settings.model_copy(update={"api_buckets": f"{quiet_fleet.store.bucket}/shared"})
    shared = f"s3://{quiet_fleet.store.bucket}/shared/a.mp4"
    quiet_fleet.store.put_new("shared/a.mp4", b"no video")
    cid, dee = (as_token(name, "read", "submit") for name in ("cid", "dee"))
    there = TestClient(make_app(Fleet(opened)))
    assert there.post("/v1/jobs", json={"uri": shared}, headers=cid.headers).status_code == 201
    said = is_problem(there.post("/v1/jobs", json={"uri": shared}, headers=dee.headers), 409)
    assert "'force'" in said
    own = there.post("/v1/jobs", json={"uri": shared, "force": True}, headers=dee.headers)
    assert (own.status_code, own.json()["submitter"]) == (201, "dee")


@pytest.mark.parametrize(
    "named",
    [
        "s3://{bucket}/jobs/{job}/job.json",
        "s3://{bucket}/uploads/bob/x/a.mp4",
        "s3://{bucket}/uploads/ann/../bob/a.mp4",
        "s3://other/a.mp4",
        "https://169.254.169.254/latest",
        "/etc/passwd",
        "s3://{bucket}/uploads/ann/x/all.pictures.json",
        "",
    ],
)
def test_path_tricks_and_other_places_are_refused(ann, fleet, job, named):
    answer = ann.post("/v1/jobs", json={"uri": named.format(bucket=fleet.store.bucket, job=job)})
    assert answer.status_code in (403, 422)
    is_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", ["..", "%2e%2e", "..%2f..%2fnotify", "a%2fb", "%00", "a" * 65, "*"])
def test_path_tricks_in_ids_lead_nowhere(ann, path):
    for rest in ("", "/manifest", "/results"):
        assert ann.get(f"/v1/jobs/{path}{rest}").status_code in (404, 422, 405)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"options": {"max_people": 0}}, "body.options.max_people"),
        ({"options": {"nonsense": 1}}, "body.options.nonsense"),
        ({"model": "../etc"}, "body.model"),
        ({"model": "none-such"}, "none-such"),
        ({"priority": "now"}, "body.priority"),
        ({"webhook": "http://example.org"}, "webhook"),
        ({"other": 1}, "body.other"),
    ],
)
def test_what_is_wrong_is_said(ann, uri, body, said):
    assert said in is_problem(ann.post("/v1/jobs", json={"uri": uri, **body}), 422)


def test_a_request_that_is_too_large_is_refused(ann):
    is_problem(ann.post("/v1/jobs", content=b"x" * (1 << 20) + b"x"), 413)
    is_problem(ann.post("/v1/jobs", content=iter([b"x" * (1 << 19)] * 3)), 413)


def test_who_asks_too_often_is_told_when_to_come_back(quiet_fleet, as_token, app):
    slow = quiet_fleet.settings.model_copy(update={"api_requests_per_s": 0.5})
    client = TestClient(make_app(Fleet(slow)), headers=as_token("eve", "read").headers)
    answers = [client.get("/v1/jobs") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    is_problem(answers[2], 429)
    assert 1 <= int(answers[2].headers["retry-after"]) <= 2


def test_pages_elsewhere_may_ask_only_if_they_are_named(quiet_fleet, app):
    ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in TestClient(app).options("/v1/jobs", headers=ask).headers
    settings = quiet_fleet.settings.model_copy(update={"api_origins": "https://a.example"})
    there = TestClient(make_app(Fleet(settings)))
    assert there.options("/v1/jobs", headers=ask).headers["access-control-allow-origin"] == "https://a.example"
    other = {**ask, "Origin": "https://b.example"}
    assert "access-control-allow-origin" not in there.options("/v1/jobs", headers=other).headers


def test_watching_ends_with_the_job_and_a_cancelled_job_has_a_manifest(ann, job):
    for path in ("manifest", "results"):
        assert "has not ended" in is_problem(ann.get(f"/v1/jobs/{job}/{path}"), 404)
    is_problem(ann.post(f"/v1/jobs/{job}/retry"), 409)
    relief = threading.Timer(1.0, lambda: ann.post(f"/v1/jobs/{job}/cancel"))
    relief.start()
    with ann.stream("GET", f"/v1/jobs/{job}/events") as stream:
        lines = [line for line in stream.iter_lines() if line]
    relief.join()
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert lines[::2] == ["event: job"] * 2
    assert [json.loads(line.removeprefix("data: "))["state"] for line in lines[1::2]] == ["queued", "cancelled"]
    assert ann.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert ann.get(f"/v1/jobs/{job}/manifest").json()["state"] == "cancelled"
    links = ann.get(f"/v1/jobs/{job}/results").json()
    assert links["results"] == []
    assert httpx.get(links["source_url"]).content.startswith(b"no video")
    assert ann.delete(f"/v1/jobs/{job}").status_code == 204
    is_problem(ann.get(f"/v1/jobs/{job}"), 404)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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
