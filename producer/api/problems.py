"""Errors as ``application/problem+json`` (RFC 9457), and what OpenAPI says of them."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from schema.errors import PosefleetError, SourceMissing, TransientError

log = logging.getLogger("posefleet")

MEDIA_TYPE = "application/problem+json"
_AWAY_S = 5
_AWAY = {
    "broker_unavailable": "Redis does not answer, or is full: ask again; what was accepted is not lost",
    "storage_unavailable": "object storage does not answer: ask again",
}
"""What clients are told; the log knows more."""


class Problem(HTTPException):
    """An answer that says what is wrong."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)


class ProblemBody(BaseModel):
    """What is wrong, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that tells a problem."""
    body = ProblemBody(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of an operation, for OpenAPI; the last four are every operation's."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in (*statuses, 401, 403, 429, 503)
    }


def tell_problems(app: FastAPI) -> None:
    """Turn every error of ``app`` into a problem."""

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return answer(422, _first(error.errors()))

    @app.exception_handler(TransientError)
    async def away(_: Request, error: TransientError) -> Response:
        log.warning("a request could not be answered: %s", error)
        return answer(503, _AWAY.get(error.reason, "not now: ask again"), {"Retry-After": str(_AWAY_S)})

    @app.exception_handler(PosefleetError)
    async def ours(_: Request, error: PosefleetError) -> Response:
        return answer(404 if isinstance(error, SourceMissing) else 422, str(error))

    @app.exception_handler(Exception)
    async def bug(_: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return answer(500, "this is a mistake of the server, which its log tells more about")


def _first(errors: Sequence[Any]) -> str:
    """Where the first mistake is, and which."""
    where = ".".join(str(part) for part in errors[0]["loc"])
    return f"{where}: {errors[0]['msg']}"
