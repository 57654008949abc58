"""What a job has come to: its manifest, links to its results, its dead batches."""

import mimetypes

from fastapi import APIRouter
from pydantic import BaseModel

from producer import letters
from producer.api.auth import Asked, Reader
from producer.api.jobs import AnId
from producer.api.problems import Problem, documented
from schema.manifest import Failure, Manifest
from schema.messages import VideoJob
from schema.names import JobKeys

router = APIRouter(prefix="/v1/jobs", tags=["results"])

_MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".mp4": "video/mp4",
    ".webp": "image/webp",
    ".csv": "text/csv; charset=utf-8",
    ".h5": "application/x-hdf5",
}


class ResultLink(BaseModel):
    """One file of the results, and where to GET it."""

    name: str
    size: int
    sha256: str
    media_type: str
    url: str


class ResultLinks(BaseModel):
    """The files of a job that has ended, and its source."""

    results: list[ResultLink]
    source_url: str
    expires_s: int
    """The URLs are good for so long."""


class Letter(BaseModel):
    """A batch that was given up."""

    step: str
    start: int
    stop: int
    error: Failure
    worker: str
    time_s: float


class Letters(BaseModel):
    """The batches of a job that were given up."""

    letters: list[Letter]


def media_type(name: str) -> str:
    """Of a file, by its name."""
    suffix = name[name.rfind(".") :].lower()
    return _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


@router.get("/{job_id}/manifest", responses=documented(404, 422))
def manifest(job_id: AnId, asked: Asked, token: Reader) -> Manifest:
    """What was done to what; once the job has ended."""
    asked.seen(token, job_id)
    return manifest_of(asked, job_id)


@router.get("/{job_id}/results", responses=documented(404, 422))
def results(job_id: AnId, asked: Asked, token: Reader) -> ResultLinks:
    """Links to the results, and to the source; once the job has ended."""
    asked.seen(token, job_id)
    ended = manifest_of(asked, job_id)
    source = VideoJob.from_json(asked.fleet.store.get(JobKeys(job_id).job)).source
    return ResultLinks(
        results=[
            ResultLink(
                name=each.name,
                size=each.size,
                sha256=each.sha256,
                media_type=media_type(each.name),
                url=_link(asked, asked.signed.bucket, each.key, each.name),
            )
            for each in ended.results
        ],
        source_url=_link(asked, source.bucket, source.key, source.key),
        expires_s=asked.signed.expires_s,
    )


@router.get("/{job_id}/dead", responses=documented(404, 422))
def dead(job_id: AnId, asked: Asked, token: Reader) -> Letters:
    """The batches that were given up, and why."""
    asked.seen(token, job_id)
    found = letters.letters(asked.fleet, job_id)
    return Letters(letters=[Letter.model_validate(each.model_dump()) for each in found])


def manifest_of(asked: Asked, job_id: str) -> Manifest:
    """The manifest of a job.

    Raises:
        Problem: the job has not ended.
    """
    body = asked.fleet.store.get_or_none(JobKeys(job_id).manifest)
    if body is None:
        raise Problem(404, f"job {job_id} has not ended")
    return Manifest.from_json(body)


def _link(asked: Asked, bucket: str, key: str, name: str) -> str:
    """A link to an object; a browser that follows it saves the file and shows nothing of it."""
    name = name.rpartition("/")[2]
    kind = media_type(name)
    shown = kind if kind.startswith(("video/", "audio/", "image/")) else "application/octet-stream"
    return asked.signed.get_url(bucket, key, name, shown)
