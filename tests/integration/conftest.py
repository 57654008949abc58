"""Fixtures of uploads that enqueue themselves: servers without workers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from producer import Fleet
from producer.stack.process import Child, _any_free, answers
from producer.stack.servers import Webhook, s3_command
from schema.messages import ModelIdentity, VideoJob
from schema.names import JobKeys
from schema.settings import Settings
from tests.faults.ground import until

TOKEN = "of-the-tests"


@dataclass
class Uploads:
    """A fleet without workers, whose object store tells a port of this machine of uploads."""

    fleet: Fleet
    port: int
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.fleet.store._client

    def put(self, key: str, body: bytes = b"a video", bucket: str = "posefleet") -> None:
        """Upload an object."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def with_settings(self, **changed: object) -> Fleet:
        """The same fleet with other settings."""
        return Fleet(self.fleet.settings.model_copy(update=changed))

    def jobs(self) -> list[VideoJob]:
        """What was accepted."""
        store = self.fleet.store
        return [VideoJob.from_json(store.get(JobKeys(job_id).job)) for job_id in store.folders("jobs/")]

    def keys(self) -> list[str]:
        """Keys of the videos of all jobs, in order."""
        return sorted(job.source.key for job in self.jobs())

    def clear(self) -> None:
        """Nothing is there."""
        store = self.fleet.store
        store.delete([found.key for found in store.objects("")])
        with redis.Redis.from_url(self.fleet.settings.redis_url) as server:
            server.flushall()


@pytest.fixture(scope="session")
def telling(model: ModelIdentity, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    """Servers that have just come up."""
    folder, taken = tmp_path_factory.mktemp("telling"), set[int]()
    port, hook = _any_free(taken), _any_free(taken)
    taken |= {port, hook}
    webhook = Webhook(f"http://127.0.0.1:{hook}/v1/events/s3", TOKEN, ["posefleet/videos/", "others/"])
    child = Child(s3_command(folder, port, taken, "posefleet", "of-the-tests", webhook), folder)
    try:
        child.wait_until(lambda: answers(port), 60)
        settings = Settings(
            redis_url=redis_url,
            s3_endpoint=f"http://127.0.0.1:{port}",
            s3_access_key_id="posefleet",
            s3_secret_access_key="of-the-tests",
            watch="s3://posefleet/videos/",
            watch_options='{"render": false}',
        )
        fleet = Fleet(settings)
        until(lambda: _bucket(fleet), 60, "no bucket")
        yield Uploads(fleet, hook)
    finally:
        child.kill()


@pytest.fixture
def uploads(telling: Uploads) -> Iterator[Uploads]:
    """Empty servers."""
    telling.clear()
    yield telling
    telling.clear()


def _bucket(fleet: Fleet) -> bool:
    try:
        fleet.store.ensure_bucket()
    except Exception:
        return False
    return True
