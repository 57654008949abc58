"""What tests of the API do again and again."""

import httpx2 as httpx
from fastapi.testclient import TestClient

SECRET = "a secret for webhooks"


def upload(client: TestClient, body: bytes, name="a.mp4") -> str:
    """Put a file into the store by way of the API; its URI."""
    begun = client.post("/v1/uploads", json={"name": name, "size": len(body)}).json()
    etag = httpx.put(begun["parts"][0]["url"], content=body).headers["etag"]
    done = client.post(f"/v1/uploads/{begun['upload_id']}/complete", json={"parts": [{"number": 1, "etag": etag}]})
    assert done.json() == {"uri": begun["uri"]}
    return begun["uri"]


def is_problem(answer: httpx.Response, status: int) -> str:
    """Check that an answer tells a problem; what it says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    return body["detail"]
