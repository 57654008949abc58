"""A job's progress as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from producer.api.auth import Asked, Reader, Service
from producer.api.jobs import AnId
from producer.api.problems import Problem, documented
from producer.api.tokens import Token
from schema.catalog import JobInfo
from schema.errors import SourceMissing, TransientError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_LOOK_S = 0.5
_QUIET_S = 15.0
_MOST = 100
_UNBUFFERED = {"X-Accel-Buffering": "no"}
"""For proxies that would keep events back."""
_EVENTS = {
    "description": "`event: job` with the job as data, whenever it has changed.",
    "content": {"text/event-stream": {}},
}


@router.get("/{job_id}/events", response_class=StreamingResponse, responses={**documented(404, 422), 200: _EVENTS})
async def events(job_id: AnId, asked: Asked, token: Reader) -> StreamingResponse:
    """The job at once and whenever it has changed, until it has ended."""
    first = await run_in_threadpool(asked.seen, token, job_id)
    if asked.watchers[token.name] >= _MOST:
        raise Problem(429, f"a token watches at most {_MOST} jobs at a time", {"Retry-After": "60"})
    return StreamingResponse(_counted(asked, token, first), media_type="text/event-stream", headers=_UNBUFFERED)


async def _counted(asked: Service, token: Token, first: JobInfo) -> AsyncIterator[str]:
    asked.watchers[token.name] += 1
    try:
        async for event in _changes(asked, token, first):
            yield event
    finally:
        asked.watchers[token.name] -= 1


async def _changes(asked: Service, token: Token, first: JobInfo) -> AsyncIterator[str]:
    """Events until the job has ended or is gone, or the token is; comments meanwhile, so that nobody hangs up."""
    now, said_s = first, time.monotonic()
    yield _event(now)
    while not now.state.final and asked.tokens.holds(token):
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
