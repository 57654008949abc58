"""``POST /v1/events/s3``: notifications of object stores that call (SeaweedFS, MinIO)."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from producer.events.intake import Intake
from producer.events.parse import parse
from producer.fleet import Fleet
from schema.errors import MessageError, PosefleetError

PATH = "/v1/events/s3"
_MOST_BYTES = 8 << 20
"""SeaweedFS lists the pieces of a file: 3 MB for the largest ones."""
_AGAIN_S = 5


def router(fleet: Fleet, authorize: Callable[..., Any]) -> APIRouter:
    """The route, for an application to include.

    It answers 200 once every job is accepted, so that the sender tries again otherwise.

    Args:
        fleet: takes the jobs.
        authorize: a dependency that refuses who may not send events. SeaweedFS and MinIO send
            ``Authorization: Bearer <token>``.

    Raises:
        ConfigurationError: the settings name no prefix in S3, or options that there are not.
    """
    made, intake = APIRouter(), Intake(fleet)

    @made.post(PATH, dependencies=[Depends(authorize)], summary="Tell of uploads", tags=["events"])
    async def events(request: Request) -> Response:
        """S3 event notifications of AWS, MinIO or SeaweedFS. Videos below the watched prefixes become jobs."""
        body = await _read(request)
        if body is None:
            return _problem(413, "Content Too Large", f"a notification has at most {_MOST_BYTES} bytes")
        return await run_in_threadpool(_take, intake, body)

    return made


def _take(intake: Intake, body: bytes) -> Response:
    try:
        jobs = [job_id for upload in parse(body) if (job_id := intake.take(upload))]
    except MessageError as error:
        return _problem(400, "Bad Request", str(error))
    except PosefleetError as error:
        return _problem(503, "Service Unavailable", str(error), {"Retry-After": str(_AGAIN_S)})
    return JSONResponse({"jobs": jobs})


async def _read(request: Request) -> bytes | None:
    """The body; none when it is too large, of which no more is read than is allowed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            return None
    return bytes(body)


def _problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(told, status, headers, media_type="application/problem+json")
