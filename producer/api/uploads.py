"""Uploads in parts, from the client straight to object storage: this process never sees a video's bytes."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from producer.api.auth import Asked, Submitter
from producer.api.examples import UPLOAD, answers
from producer.api.problems import Problem, documented
from producer.api.sources import uploads_of
from producer.api.tokens import Token
from schema.names import UPLOADS, safe_name
from workers.storage.signed import PartOfUpload

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

_LEAST_PART = 16 << 20
_MOST_PARTS = 10_000
_AT_ONCE = 100
_MOST_NAME = 200
UploadId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,4000}$", description="As the begin of the upload gave it.")]


class NewUpload(BaseModel):
    """A file that is going to be uploaded."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "walk.mp4", "size": 41_943_040}]}
    )

    name: Annotated[str, Field(min_length=1, max_length=1000, description="Of the file.")]
    size: Annotated[int, Field(ge=1, description="Bytes.")]


class PartLink(BaseModel):
    """Where to PUT one part."""

    number: int
    url: str


class PartLinks(BaseModel):
    """Where to PUT the next parts, up to 100."""

    parts: list[PartLink]


class Upload(BaseModel):
    """An upload that has begun: each part is PUT to its URL, and the ETag of the answer kept."""

    upload_id: str
    uri: str
    part_size: int
    """Bytes of every part but the last one."""
    parts: list[PartLink]
    expires_s: int
    """The URLs are good for so long; the next ones come from ``/parts``."""


class Parts(BaseModel):
    """All parts of an upload, in order."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"parts": [{"number": 1, "etag": '"9b2cf535f27731c9"'}]}]}
    )

    parts: Annotated[list["Part"], Field(min_length=1, max_length=_MOST_PARTS)]


class Part(BaseModel):
    """A part that was PUT."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, le=_MOST_PARTS)]
    etag: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ -~]+$")]


class Uploaded(BaseModel):
    """Where the file is, as a source of jobs."""

    uri: str


@dataclass(frozen=True)
class _Upload:
    """What an upload id says."""

    key: str
    count: int
    stored: str
    """The store's own id."""

    @property
    def id(self) -> str:
        text = f"{self.count} {self.stored} {self.key}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, upload_id: str, token: Token) -> "_Upload":
        """The upload of an id that ``token`` may use."""
        try:
            text = base64.urlsafe_b64decode(upload_id + "=" * (-len(upload_id) % 4)).decode()
            count, stored, key = text.split(" ", 2)
            found = cls(key, int(count), stored)
        except (binascii.Error, ValueError) as error:
            raise Problem(404, "there is no such upload") from error
        if safe_name(key) != key or not key.startswith(uploads_of(token)) or not 1 <= found.count <= _MOST_PARTS:
            raise Problem(404, "there is no such upload")
        return found


@router.post("", status_code=201, responses={**documented(400, 413, 422), **answers(201, UPLOAD)})
def begin(new: NewUpload, asked: Asked, token: Submitter) -> Upload:
    """Begin an upload; the URLs of its first parts."""
    most = int(asked.fleet.settings.max_source_gb * 1e9)
    if new.size > most:
        raise Problem(422, f"size: a source has at most {most} bytes")
    part_size = max(_LEAST_PART, -(-new.size // _MOST_PARTS))
    name = safe_name(new.name.replace("/", "_"))[-_MOST_NAME:]
    key = f"{UPLOADS}{token.name}/{secrets.token_urlsafe(12)}/{name}"
    upload = _Upload(key, -(-new.size // part_size), asked.signed.begin(key))
    return Upload(
        upload_id=upload.id,
        uri=f"s3://{asked.signed.bucket}/{key}",
        part_size=part_size,
        parts=_links(asked, upload, 1),
        expires_s=asked.signed.expires_s,
    )


@router.get("/{upload_id}/parts", responses=documented(404, 422))
def parts(
    upload_id: UploadId,
    asked: Asked,
    token: Submitter,
    first: Annotated[int, Query(ge=1, le=_MOST_PARTS, description="Number of the first part.")] = 1,
) -> PartLinks:
    """The URLs of further parts."""
    return PartLinks(parts=_links(asked, _Upload.of(upload_id, token), first))


@router.post("/{upload_id}/complete", responses=documented(400, 404, 413, 422))
def complete(upload_id: UploadId, given: Parts, asked: Asked, token: Submitter) -> Uploaded:
    """Make a file of the parts; once it is there, the same again says so again."""
    upload = _Upload.of(upload_id, token)
    if asked.fleet.store.head(upload.key) is None:
        chosen = sorted({part.number: part.etag for part in given.parts}.items())
        asked.signed.complete(upload.key, upload.stored, [PartOfUpload(*part) for part in chosen])
    return Uploaded(uri=f"s3://{asked.signed.bucket}/{upload.key}")


@router.delete("/{upload_id}", status_code=204, responses=documented(404, 422))
def abort(upload_id: UploadId, asked: Asked, token: Submitter) -> Response:
    """Give up an upload that is not complete."""
    upload = _Upload.of(upload_id, token)
    asked.signed.abort(upload.key, upload.stored)
    return Response(status_code=204)


def _links(asked: Asked, upload: _Upload, first: int) -> list[PartLink]:
    numbers = range(first, min(first + _AT_ONCE, upload.count + 1))
    return [PartLink(number=each, url=asked.signed.part_url(upload.key, upload.stored, each)) for each in numbers]
