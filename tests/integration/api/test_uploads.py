"""Uploads in parts, on a real S3 server."""

import httpx2 as httpx

from tests.support.api import is_problem


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
    assert asked.headers["access-control-allow-methods"] == "GET, HEAD, PUT"
    put = httpx.put(url, content=b"abc", headers=origin)
    assert put.headers["access-control-expose-headers"] == "ETag"
