"""``POST /v1/events/s3``: notifications of object stores that call (SeaweedFS, MinIO)."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from producer.events import PATH
from producer.events.intake import Intake
from producer.events.parse import parse
from producer.fleet import Fleet
from schema.errors import MessageError

MOST_BYTES = 8 << 20
"""SeaweedFS lists the pieces of a file: 3 MB for the largest ones."""


class Taken(BaseModel):
    """What became of the uploads."""

    jobs: list[str] = Field(description="Jobs of the videos that are watched, new ones and those there were.")


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [*fields]}


def _or_none(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, {"type": "null"}]}


_TEXT = {"type": "string"}
_RECORD = _object(eventName=_TEXT, s3=_object(bucket=_object(name=_TEXT), object=_object(key=_TEXT)))
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {**_object(Records={"type": "array", "items": _RECORD}), "title": "AWS S3, MinIO"},
                    {
                        **_object(event_type=_TEXT, message=_object(new_entry=_or_none(_object(name=_TEXT)))),
                        "title": "SeaweedFS",
                    },
                ]
            },
        }
    },
}


def router(fleet: Fleet, authorize: Callable[..., Any]) -> APIRouter:
    """The route, for an application to include that turns our errors into answers.

    It answers 200 once every job is accepted: anything else makes the sender try again.

    Args:
        fleet: takes the jobs.
        authorize: a dependency that refuses whoever may not send events; SeaweedFS and MinIO send
            ``Authorization: Bearer <token>``.

    Raises:
        ConfigurationError: the settings name no prefix in S3, or options that there are not.
    """
    made, intake = APIRouter(tags=["events"]), Intake(fleet)

    @made.post(PATH, dependencies=[Depends(authorize)], openapi_extra={"requestBody": _BODY})
    async def tell_of_uploads(request: Request) -> Taken:
        """Take S3 event notifications of AWS, MinIO or SeaweedFS: videos below the watched prefixes become jobs."""
        return await run_in_threadpool(_take, intake, await _read(request))

    return made


def _take(intake: Intake, body: bytes) -> Taken:
    taken = [intake.take(upload) for upload in parse(body)]
    return Taken(jobs=[job_id for job_id in taken if job_id])


async def _read(request: Request) -> bytes:
    """The body, of which no more is read than is allowed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise MessageError(f"a notification of more than {MOST_BYTES} bytes")
    return bytes(body)
