"""Which uploads become jobs, and how: every version of a watched video once."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from producer.events.parse import Upload
from producer.fleet import Fleet
from producer.inputs import VIDEO_SUFFIXES
from producer.models import models_for
from schema.errors import ConfigurationError
from schema.names import JOBS, taken_key
from schema.options import Options
from schema.settings import Settings
from workers.storage.port import ObjectInfo


@dataclass(frozen=True)
class Watched:
    """Where uploads are taken from."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"


class Intake:
    """Enqueues what is uploaded below the watched prefixes.

    A version that was taken has a mark in storage (`schema.names.TAKEN`). So no version is taken twice: not by a
    duplicate of its event, not after its job was deleted, and not by software whose options are other ones.
    """

    def __init__(self, fleet: Fleet) -> None:
        """Read the settings.

        Raises:
            ConfigurationError: they name no prefix in S3, or options that there are not.
        """
        self.watched = watched(fleet.settings)
        self._options = watch_options(fleet.settings)
        self._fleet = fleet

    def require(self) -> None:
        """Make sure that there is something to take, and that it can be enqueued.

        Raises:
            ConfigurationError: no prefix is watched, or the options do not fit the model.
            ModelError: the model has not been pulled.
        """
        if not self.watched:
            raise ConfigurationError("nothing is watched: set POSEFLEET_WATCH to s3://bucket/prefix/")
        models_for(self._fleet.settings, None, self._options)

    def wants(self, upload: Upload) -> bool:
        """Whether this is a video below a watched prefix.

        Empty objects are not: mounts and tools write one first and the video after it.  Results of jobs are not.
        """
        below = any(upload.bucket == each.bucket and upload.key.startswith(each.prefix) for each in self.watched)
        own = upload.bucket == self._fleet.store.bucket and upload.key.startswith(JOBS)
        video = PurePosixPath(upload.key).suffix.lower() in VIDEO_SUFFIXES
        return below and video and not own and upload.size != 0

    def take(self, upload: Upload) -> str | None:
        """Enqueue the version that is there now; its job id, none when there is nothing to take.

        Raises:
            ConfigurationError, ModelError: the fleet is not set up for the job.
            StorageUnavailable, BrokerUnavailable
        """
        if not self.wants(upload):
            return None
        if upload.etag and (job_id := self._taken(upload.uri, upload.etag)):
            return job_id
        found = self._fleet.store.head(upload.key, upload.bucket)
        if found is None or not found.size:
            return None
        known = None if found.etag == upload.etag else self._taken(upload.uri, found.etag)
        return known or self._enqueue(upload, found)

    def _enqueue(self, upload: Upload, found: ObjectInfo) -> str:
        submitter = f"events:{upload.bucket}"
        job_id = self._fleet.enqueue(upload.uri, self._options, submitter=submitter, found=found).job_id
        self._fleet.store.put_new(taken_key(version(upload.uri, found.etag)), job_id.encode(), "text/plain")
        return job_id

    def _taken(self, uri: str, etag: str) -> str | None:
        """The job of a version that was taken."""
        mark = self._fleet.store.get_or_none(taken_key(version(uri, etag)))
        return mark.decode() if mark else None


def version(uri: str, etag: str) -> str:
    """The name of one version of one object, of fixed length and safe in keys."""
    return hashlib.sha256(f"{uri}\n{etag}".encode()).hexdigest()[:40]


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
