"""Clients of an API whose fleet has no workers: nothing moves by itself."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi.testclient import TestClient

from producer.api.app import make_app
from producer.api.tokens import TokenFile
from producer.fleet import Fleet
from tests.support.api import SECRET, upload


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
