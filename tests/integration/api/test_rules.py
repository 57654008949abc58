"""The API's rules against real Redis and S3, without workers: nothing moves by itself."""

import json
import threading

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from producer.api.app import make_app
from producer.fleet import Fleet
from tests.support.api import is_problem

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


def test_while_redis_is_away_that_is_said_and_nothing_else(quiet_fleet, as_token):
    away = quiet_fleet.settings.model_copy(update={"redis_url": "redis://:pass@127.0.0.1:1/0"})
    client = TestClient(make_app(Fleet(away)), headers=as_token("fay", "read").headers, raise_server_exceptions=False)
    for path in ("/readyz", "/v1/jobs"):
        answer = client.get(path)
        assert "127.0.0.1" not in is_problem(answer, 503)
        assert answer.headers["retry-after"]
    assert client.get("/healthz").status_code == 200


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
