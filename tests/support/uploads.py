"""A fleet without workers, whose object store tells of uploads."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer import Fleet
from producer.events import PATH
from producer.stack.process import Child, _any_free, answers, ports_to_oneself
from producer.stack.servers import Webhook, s3_command
from schema.errors import PosefleetError
from schema.messages import VideoJob
from schema.settings import Settings, current
from tests.support.waiting import until

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


@contextmanager
def telling_store(folder: Path, redis_url: str) -> Iterator[Uploads]:
    """An object store that tells of uploads, and Redis."""
    taken = set[int]()
    with ports_to_oneself(current().cache_dir):
        port, hook = _any_free(taken), _any_free(taken)
        taken |= {port, hook}
        webhook = Webhook(f"http://127.0.0.1:{hook}{PATH}", TOKEN, [f"{BUCKET}/videos/"])
        child = Child(s3_command(folder, port, taken, "posefleet", "of-the-tests", webhook), folder)
        child.wait_until(lambda: answers(port), 60)
    try:
        settings = Settings(
            redis_url=redis_url,
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


def _bucket(fleet: Fleet) -> bool:
    with suppress(PosefleetError):
        fleet.store.ensure_bucket()
        return True
    return False
