"""A job's progress as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from producer.api.auth import Asked, Reader
from producer.api.jobs import AnId
from producer.api.problems import documented
from schema.catalog import JobInfo
from schema.errors import SourceMissing, TransientError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_LOOK_S = 0.5
_QUIET_S = 15.0
_EVENTS = {
    "description": "`event: job` with the job as data, whenever it has changed.",
    "content": {"text/event-stream": {}},
}


@router.get("/{job_id}/events", response_class=StreamingResponse, responses={**documented(404, 422), 200: _EVENTS})
async def events(job_id: AnId, asked: Asked, token: Reader) -> StreamingResponse:
    """The job at once and whenever it has changed, until it has ended."""
    first = await run_in_threadpool(asked.seen, token, job_id)
    return StreamingResponse(_changes(asked, first), media_type="text/event-stream")


async def _changes(asked: Asked, first: JobInfo) -> AsyncIterator[str]:
    """Events until the job has ended or is gone; a comment where there is no news, so that nobody hangs up."""
    now, said_s = first, time.monotonic()
    yield _event(now)
    while not now.state.final:
        await asyncio.sleep(_LOOK_S)
        try:
            new = await run_in_threadpool(asked.fleet.info, first.job_id)
        except SourceMissing:
            return
        except TransientError:
            new = now
        if new != now:
            yield _event(new)
            now, said_s = new, time.monotonic()
        elif time.monotonic() - said_s > _QUIET_S:
            yield ":\n\n"
            said_s = time.monotonic()


def _event(info: JobInfo) -> str:
    return f"event: job\ndata: {info.model_dump_json()}\n\n"
