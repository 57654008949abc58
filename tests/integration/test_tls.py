"""Redis behind TLS: whoever cannot show the right certificate gets neither the password nor a message."""

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from producer.stack.process import Child, Command
from schema.errors import BrokerUnavailable, ConfigurationError
from schema.messages import JobReference
from schema.names import TASK_STITCH
from schema.queue import make_app, send, tls_of
from schema.settings import Settings
from tests.support.proxy import Proxy
from workers.storage.progress import Progress


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of an authority that only this test knows."""
    return tmp_path / "authority.pem"


@pytest.fixture
def address(redis_url: str, authority: Path) -> Iterator[str]:
    """A Redis that is reached by TLS alone, with a certificate of that authority; not said which."""
    ours = trustme.CA()
    ours.cert_pem.write_to_path(str(authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("localhost").configure_cert(context)
    with Proxy(urlsplit(redis_url).port or 0, tls=context) as proxy:
        yield f"rediss://localhost:{proxy.port}/0"


def test_messages_and_progress_go_by_tls(progress: Progress, address: str, authority: Path):
    url = f"{address}?ssl_ca_certs={authority}"
    send(make_app(Settings(redis_url=url)), TASK_STITCH, [JobReference(job_id="a")])
    Progress(url).announce("a", "stitch", ["all"])
    assert progress.redis.llen("posefleet:stitch") == 1


def test_a_worker_consumes_by_tls(progress: Progress, address: str, authority: Path, tmp_path: Path):
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "--queues", "plan", "--concurrency", "1"]
    ready = tmp_path / "ready"
    named = {"POSEFLEET_REDIS_URL": f"{address}?ssl_ca_certs={authority}", "POSEFLEET_READY_DIR": str(ready)}
    worker = Child(Command("worker", [*command, "--without-gossip", "--without-mingle"], named, 10), tmp_path)
    try:
        worker.wait_until((ready / "consuming").exists, 60)
    finally:
        worker.kill()
    assert "insecure" not in worker.log.read_text()


@pytest.mark.parametrize("query", ["", "?ssl_cert_reqs=required"])
def test_a_stranger_gets_no_message(query: str, progress: Progress, address: str):
    with pytest.raises(BrokerUnavailable):
        send(make_app(Settings(redis_url=address + query)), TASK_STITCH, [JobReference(job_id="a")])
    with pytest.raises(BrokerUnavailable):
        Progress(address + query).ping()
    assert progress.redis.llen("posefleet:stitch") == 0


def test_a_certificate_for_another_host_is_refused(progress: Progress, address: str, authority: Path):
    url = f"{address.replace('localhost', '127.0.0.1')}?ssl_ca_certs={authority}"
    with pytest.raises(BrokerUnavailable):
        send(make_app(Settings(redis_url=url)), TASK_STITCH, [JobReference(job_id="a")])
    assert progress.redis.llen("posefleet:stitch") == 0


def test_who_asks_for_no_check_gets_none(progress: Progress, address: str):
    send(make_app(Settings(redis_url=f"{address}?ssl_cert_reqs=none")), TASK_STITCH, [JobReference(job_id="a")])
    assert progress.redis.llen("posefleet:stitch") == 1


def test_flower_and_workers_are_told_alike():
    assert tls_of("redis://host:6379/0") is None
    assert tls_of("rediss://host:6379/0") == {"ssl_cert_reqs": "required"}
    assert tls_of("rediss://host/0?ssl_cert_reqs=none&ssl_ca_certs=/a") == {
        "ssl_cert_reqs": "none",
        "ssl_ca_certs": "/a",
    }


def test_a_spelling_that_redis_does_not_know_is_refused(monkeypatch):
    monkeypatch.setenv("POSEFLEET_REDIS_URL", "rediss://:secret@host/0?ssl_cert_reqs=CERT_REQUIRED")
    with pytest.raises(ConfigurationError, match="ssl_cert_reqs in POSEFLEET_REDIS_URL is 'required'") as error:
        Settings.read()
    assert "secret" not in str(error.value)
