"""Which uploads become jobs, and how: every version of a watched video once."""

import hashlib
from pathlib import PurePosixPath

from producer.events.parse import Upload
from producer.events.watched import watch_options, watched
from producer.fleet import Fleet
from producer.inputs import VIDEO_SUFFIXES
from producer.models import models_for
from schema.errors import ConfigurationError
from schema.names import OWN, taken_key
from workers.storage.port import ObjectInfo


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

        Empty objects are not: mounts and tools write one first and the video after it.  What the fleet keeps for
        itself is not.
        """
        below = any(upload.bucket == each.bucket and upload.key.startswith(each.prefix) for each in self.watched)
        own = upload.bucket == self._fleet.store.bucket and upload.key.startswith(OWN)
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
