"""What object stores tell of uploads, in all the shapes in which they do.

- AWS S3 and MinIO: ``Records`` with ``ObjectCreated:…``; MinIO's names begin with ``s3:``.  Keys are URL-encoded, a
  space is ``+``.
- The same inside a notification of SNS (a string in ``Message``), and any of them inside what SQS hands on (a string in
  ``body`` of each of the ``Records``).
- ``s3:TestEvent``, which AWS sends when notifications are set up.
- SeaweedFS: a change of one entry of its filer, with the path as it is.  In buckets with versions every version is an
  entry ``<key>.versions/v_<version>``.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from schema.errors import MessageError

_MOST_WRAPPED = 4
_BUCKETS = "/buckets/"
_VERSION = re.compile(r"\.versions/v_[0-9a-f]+$")
_ETAG = "Seaweed-X-Amz-ETag"
_WRITTEN = frozenset({"create", "update", "rename"})


@dataclass(frozen=True)
class Upload:
    """An object was written."""

    bucket: str
    key: str
    etag: str | None = None
    """As a HEAD gives it, quotes included; none where the sender does not tell."""
    size: int | None = None
    """Bytes."""

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


def parse(body: bytes | str) -> list[Upload]:
    """The uploads that a notification tells of, each once; other events are passed over.

    Raises:
        MessageError: this is no notification of a known shape.
    """
    return list(dict.fromkeys(_opened(body, _MOST_WRAPPED)))


def _sound(text: str) -> str:
    """``text``, if it can be part of a request; JSON can tell of half a character."""
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_sound)]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True)


class _Bucket(_Told):
    name: Text


class _Object(_Told):
    key: Text
    etag: Text | None = Field(None, alias="eTag")
    size: int | None = None


class _S3(_Told):
    bucket: _Bucket
    object: _Object


class _Record(_Told):
    event: str = Field(alias="eventName")
    s3: _S3


class _Entry(_Told):
    name: Text
    is_directory: bool = False
    attributes: dict[str, Any] = {}
    extended: dict[str, str] = {}


class _Parts(_Told):
    new_entry: _Entry | None = None
    new_parent_path: Text = ""


class _Change(_Told):
    event_type: str
    message: _Parts


def _opened(body: bytes | str, deep: int) -> Iterator[Upload]:
    """Uploads of a notification as text."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageError("a notification that is no JSON") from error
    if not isinstance(told, dict) or not deep:
        raise MessageError("a notification of an unknown shape")
    try:
        yield from _uploads(told, deep - 1)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise MessageError(f"a notification of an unknown shape: {where}: {first['msg']}") from error


def _uploads(told: dict[str, Any], deep: int) -> Iterator[Upload]:
    if told.get("Event") == "s3:TestEvent":
        return
    if isinstance(told.get("Records"), list):
        for record in told["Records"]:
            yield from _of_record(record, deep)
    elif isinstance(told.get("Message"), str):
        yield from _opened(told["Message"], deep)
    elif "event_type" in told:
        yield from _of_change(told)
    else:
        raise MessageError(f"a notification of an unknown shape, with {', '.join(sorted(told)[:8]) or 'nothing'}")


def _of_record(record: object, deep: int) -> Iterator[Upload]:
    if isinstance(record, dict) and isinstance(record.get("body"), str):
        yield from _opened(record["body"], deep)
        return
    found = _Record.model_validate(record)
    if found.event.removeprefix("s3:").startswith("ObjectCreated:"):
        stored = found.s3.object
        etag = f'"{stored.etag.strip(chr(34))}"' if stored.etag else None
        yield Upload(found.s3.bucket.name, unquote_plus(stored.key), etag, stored.size)


def _of_change(told: dict[str, Any]) -> Iterator[Upload]:
    """The entry that a change of SeaweedFS's filer leaves in place."""
    change = _Change.model_validate(told)
    entry = change.message.new_entry
    path = f"{change.message.new_parent_path}/{entry.name}" if entry else ""
    bucket, _, key = _VERSION.sub("", path.removeprefix(_BUCKETS)).partition("/")
    if entry and not entry.is_directory and change.event_type in _WRITTEN and path.startswith(_BUCKETS) and key:
        size = entry.attributes.get("file_size")
        yield Upload(bucket, key, _etag(entry), size if isinstance(size, int) else None)


def _etag(entry: _Entry) -> str | None:
    try:
        return f'"{base64.b64decode(entry.extended[_ETAG], validate=True).decode("ascii")}"'
    except (KeyError, ValueError):
        return None
