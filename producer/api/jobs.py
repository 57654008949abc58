"""Jobs over HTTP: create, list, get, cancel, retry, delete."""

import threading
import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from producer import letters
from producer.api.auth import Asked, Manager, Reader, Submitter, may_see
from producer.api.examples import JOB, PAGE, answers
from producer.api.problems import Problem, documented
from producer.api.sources import check_source
from producer.fleet import Fleet
from producer.inputs import resolve
from producer.pictures import is_picture
from producer.webhooks import check_webhook
from schema.catalog import JobInfo, JobPage
from schema.errors import FleetBusy
from schema.manifest import State
from schema.messages import Priority
from schema.options import Options

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

AnId = Annotated[str, Path(pattern="^[0-9A-Za-z_-]{1,64}$", description="Of a job.")]
_CURSOR = r"^$|^[0-9]{1,12}(\.[0-9]{1,12})?:[0-9A-Za-z_-]{1,64}$"
_LOCATION = {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}}


class NewJob(BaseModel):
    """A video or pictures to process."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"uri": "s3://posefleet/uploads/lab/Qm9v/walk.mp4", "options": {"quality": "balanced"}}]
        },
    )

    uri: Annotated[
        str,
        Field(
            max_length=2048,
            pattern="^s3://[^/]+/.+$",
            description="s3://bucket/key; of pictures, with a / last, a prefix.",
        ),
    ]
    options: Options = Options()
    model: Annotated[str, Field(pattern="^[a-z0-9-]{1,64}$", description="A pulled model.")] | None = None
    priority: Priority = "auto"
    force: Annotated[bool, Field(description="Do the work once more even if it was done.")] = False
    webhook: Annotated[str, Field(max_length=2048, description="HTTPS URL that is told when the job has ended.")] = ""


_LISTINGS = threading.BoundedSemaphore(2)
_LISTING_S = 20.0


def _resolved(fleet: Fleet, uri: str) -> str:
    """What to enqueue. Few prefixes of pictures are listed at a time, as each takes memory; raises `FleetBusy`."""
    if not (uri.endswith("/") or is_picture(uri)):
        return uri
    if not _LISTINGS.acquire(timeout=_LISTING_S):
        raise FleetBusy("other prefixes are being listed: try again in a while")
    try:
        return resolve(fleet, uri)
    finally:
        _LISTINGS.release()


@router.post(
    "",
    status_code=201,
    responses={
        **documented(400, 409, 413, 422),
        200: {"model": JobInfo, "description": "The job was there already.", "headers": _LOCATION},
        201: {**answers(201, JOB)[201], "headers": _LOCATION},
    },
)
def create(new: NewJob, asked: Asked, token: Submitter, response: Response) -> JobInfo:
    """Accept a job. The same version of a source with the same options is the same job."""
    check_source(new.uri, token, asked.fleet.settings)
    if new.webhook:
        check_webhook(new.webhook, asked.fleet.settings)
    began_s = time.time()
    job = asked.fleet.enqueue(
        _resolved(asked.fleet, new.uri),
        new.options,
        model=new.model,
        force=new.force,
        submitter=token.name,
        priority=new.priority,
        webhook=new.webhook,
    )
    info = asked.fleet.info(job.job_id)
    if not may_see(token, info):
        raise Problem(409, "another submitter has a job of the same source and options: 'force' makes one of your own")
    if info.created_s < began_s:
        response.status_code = 200
    return _created(response, info)


@router.get("", responses={**documented(422), **answers(200, PAGE)})
def list_jobs(
    asked: Asked,
    token: Reader,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    search: Annotated[str, Query(max_length=200, description="Part of the source's URI or of the id.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str, Query(pattern=_CURSOR, description="Of the page before.")] = "",
) -> JobPage:
    """Jobs, newest first: those of the token's name, all with the scope admin."""
    submitter = None if token.may("admin") else token.name
    return asked.fleet.list_jobs(state=state, search=search, submitter=submitter, limit=limit, cursor=cursor)


@router.get("/{job_id}", responses={**documented(404, 422), **answers(200, JOB)})
def get(job_id: AnId, asked: Asked, token: Reader) -> JobInfo:
    """Where a job stands."""
    return asked.seen(token, job_id)


@router.post("/{job_id}/cancel", responses=documented(404, 422))
def cancel(job_id: AnId, asked: Asked, token: Manager) -> JobInfo:
    """End a job without results; one that has ended stays as it is."""
    asked.seen(token, job_id)
    asked.fleet.cancel(job_id)
    return asked.fleet.info(job_id)


@router.post("/{job_id}/retry", status_code=201, responses={**documented(404, 409, 422), 201: {"headers": _LOCATION}})
def retry(job_id: AnId, asked: Asked, token: Manager, response: Response) -> JobInfo:
    """Do the dead batches of a job again: in the job while it runs, else in a new one that takes over the rest."""
    asked.seen(token, job_id)
    if next(letters.letters(asked.fleet, job_id), None) is None:
        raise Problem(409, f"job {job_id} has no dead batches")
    going, count = letters.retry(asked.fleet, job_id)
    if not count:
        raise Problem(409, f"job {job_id} has gone on already without its dead batches: wait for its end")
    return _created(response, asked.fleet.info(going.job_id))


@router.delete("/{job_id}", status_code=204, responses=documented(404, 422))
def delete(job_id: AnId, asked: Asked, token: Manager) -> Response:
    """Delete a job and all its objects, cancelling it first; the source stays."""
    asked.seen(token, job_id)
    asked.fleet.delete(job_id)
    return Response(status_code=204)


def _created(response: Response, info: JobInfo) -> JobInfo:
    response.headers["Location"] = f"/v1/jobs/{info.job_id}"
    return info
