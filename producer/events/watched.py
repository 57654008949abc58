"""What the settings say of uploads: where they are taken from, with which options."""

import json
from dataclasses import dataclass

from schema.errors import ConfigurationError
from schema.options import Options
from schema.settings import Settings


@dataclass(frozen=True)
class Watched:
    """Where uploads are taken from."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"


def watched(settings: Settings) -> list[Watched]:
    """The watched prefixes.

    Raises:
        ConfigurationError: one of them is no ``s3://bucket/prefix/``.
    """
    return [_prefix(each.strip()) for each in (settings.watch or "").split(",") if each.strip()]


def _prefix(uri: str) -> Watched:
    bucket, slash, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash or (prefix and not prefix.endswith("/")):
        raise ConfigurationError(f"POSEFLEET_WATCH: {uri} is no prefix in object storage: give s3://bucket/prefix/")
    return Watched(bucket, prefix)


def watch_options(settings: Settings) -> Options:
    """Options of the jobs that enqueue themselves.

    Raises:
        ConfigurationError: the setting is no JSON object of options.
    """
    try:
        chosen = json.loads(settings.watch_options)
    except ValueError as error:
        raise ConfigurationError(f"POSEFLEET_WATCH_OPTIONS is no JSON: {error}") from error
    if not isinstance(chosen, dict):
        raise ConfigurationError('POSEFLEET_WATCH_OPTIONS is no JSON object: give such as {"quality": "best"}')
    try:
        return Options.checked(**chosen)
    except ConfigurationError as error:
        raise ConfigurationError(f"POSEFLEET_WATCH_OPTIONS: {error}") from error
