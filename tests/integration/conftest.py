"""Fixtures of uploads that enqueue themselves: servers without workers."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from producer import Fleet
from producer.stack.process import Child, _any_free, answers
from producer.stack.servers import Webhook, s3_command
from schema.messages import ModelIdentity, VideoJob
from schema.settings import Settings
from tests.faults.ground import until

BUCKET, TOKEN = "footage", "of-the-tests"


@dataclass
class Uploads:
    """A fleet without workers, whose object store tells a port of this machine of uploads below ``videos/``."""

    fleet: Fleet
    port: int

    def put(self, key: str, body: bytes = b"a video", bucket: str = BUCKET) -> str:
        """Upload an object; its etag."""
        return str(self.client.put_object(Bucket=bucket, Key=key, Body=body)["ETag"])

    @property
    def client(self) -> Any:
        """Of boto3."""
        return self.fleet.store._client

    def with_settings(self, **changed: object) -> Fleet:
        """The same fleet with other settings."""
        return Fleet(self.fleet.settings.model_copy(update=changed))

    def jobs(self) -> list[VideoJob]:
        """What was accepted."""
        store = self.fleet.store
        found = [each.key for each in store.objects("jobs/") if each.key.endswith("/job.json")]
        return [VideoJob.from_json(store.get(key)) for key in found]

    def keys(self) -> list[str]:
        """Keys of the videos of all jobs, in order."""
        return sorted(job.source.key for job in self.jobs())


@pytest.fixture(scope="session")
def telling(model: ModelIdentity, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    """An object store and Redis."""
    folder, taken = tmp_path_factory.mktemp("telling"), set[int]()
    port, hook = _any_free(taken), _any_free(taken)
    taken |= {port, hook}
    webhook = Webhook(f"http://127.0.0.1:{hook}/v1/events/s3", TOKEN, [f"{BUCKET}/videos/"])
    child = Child(s3_command(folder, port, taken, "posefleet", "of-the-tests", webhook), folder)
    try:
        child.wait_until(lambda: answers(port), 60)
        settings = Settings(
            redis_url=redis_url.removesuffix("/0") + "/7",
            s3_endpoint=f"http://127.0.0.1:{port}",
            s3_access_key_id="posefleet",
            s3_secret_access_key="of-the-tests",
            bucket=BUCKET,
            watch=f"s3://{BUCKET}/videos/",
            watch_options='{"render": false}',
        )
        fleet = Fleet(settings)
        until(lambda: _bucket(fleet), 60, "no bucket")
        yield Uploads(fleet, hook)
    finally:
        child.kill()


@pytest.fixture
def uploads(telling: Uploads) -> Iterator[Uploads]:
    """A fleet with a bucket of its own, and nothing uploaded."""
    mine = Uploads(telling.with_settings(bucket=f"fleet-{secrets.token_hex(8)}"), telling.port)
    mine.fleet.store.ensure_bucket()
    yield mine
    telling.fleet.store.delete([found.key for found in telling.fleet.store.objects("")])
    with redis.Redis.from_url(mine.fleet.settings.redis_url) as server:
        server.flushdb()


def _bucket(fleet: Fleet) -> bool:
    with suppress(Exception):
        fleet.store.ensure_bucket()
        return True
    return False
