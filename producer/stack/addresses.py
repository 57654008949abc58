"""Where the stack of this machine is, as its processes and its users find it."""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from schema.errors import ConfigurationError
from schema.settings import Settings


@dataclass(frozen=True)
class Addresses:
    """Where a running stack is; what its processes have in their environment."""

    redis_url: str
    s3_endpoint: str | None
    s3_access_key_id: str | None
    s3_secret_access_key: str | None
    flower_url: str
    api_url: str = ""
    api_token: str = field(default="", repr=False)
    """May do everything; made when the stack started."""
    flower_auth: str = field(default="", repr=False)
    """User and password, with a colon between."""
    metrics: tuple[str, ...] = ()
    """Where Prometheus finds each worker, then the whole fleet; none when nothing is measured."""

    def environment(self) -> dict[str, str]:
        """Settings of processes that use the stack."""
        values = {
            "POSEFLEET_REDIS_URL": self.redis_url,
            "POSEFLEET_S3_ENDPOINT": self.s3_endpoint,
            "POSEFLEET_S3_ACCESS_KEY_ID": self.s3_access_key_id,
            "POSEFLEET_S3_SECRET_ACCESS_KEY": self.s3_secret_access_key,
        }
        return {name: value for name, value in values.items() if value is not None}

    def settings(self, base: Settings) -> Settings:
        """``base`` with these addresses."""
        return base.model_copy(
            update={
                "redis_url": self.redis_url,
                "s3_endpoint": self.s3_endpoint,
                "s3_access_key_id": self.s3_access_key_id,
                "s3_secret_access_key": self.s3_secret_access_key,
            }
        )


def read_addresses(data: Path) -> Addresses:
    """Addresses of the stack that runs in ``data``.

    Raises:
        ConfigurationError: none runs there.
    """
    try:
        return Addresses(**json.loads(state_file(data).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"no stack is running in {data}: 'posefleet up' starts one") from error


def state_file(data: Path) -> Path:
    """Where the addresses are kept while the stack of ``data`` runs."""
    return data / "stack.json"


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)


def credentials(data: Path) -> dict[str, str]:
    """``key_id`` and ``secret`` of the local servers and ``flower``, the password of the local Flower; made once."""
    path = data / "credentials.json"
    stored: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {"key_id": "posefleet", "secret": secrets.token_urlsafe(24), "flower": secrets.token_urlsafe(12)}
    if not made.keys() <= stored.keys():
        stored = {**made, **stored}
        write_private(path, json.dumps(stored))
    return stored
