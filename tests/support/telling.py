"""Applications that are told of uploads, and a sender who repeats and withholds."""

import json
from collections import Counter

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from producer import Fleet
from producer.events.webhook import router
from schema.errors import PosefleetError, TransientError
from tests.support.uploads import TOKEN


def authorize(request: Request) -> None:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise HTTPException(401)


async def refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503 if isinstance(error, TransientError) else 422)


def application(fleet: Fleet) -> FastAPI:
    app = FastAPI()
    app.include_router(router(fleet, authorize))
    app.add_exception_handler(PosefleetError, refused)
    return app


class Disturbing:
    """Between a sender and an application: some notifications come twice, some never."""

    def __init__(self, app: FastAPI, twice: set[str], never: set[str]) -> None:
        self.app, self.twice, self.never = app, twice, never
        self.told = Counter[str]()
        """How often the application was told of each."""

    async def __call__(self, scope, receive, send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        name = json.loads(body)["key"].rpartition("/")[2]
        if name in self.never:
            await JSONResponse({})(scope, receive, send)
        else:
            for answer in [nowhere] * (name in self.twice) + [send]:
                await self.app(scope, once(body), answer)
                self.told[name] += 1


def once(body: bytes):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def nowhere(_message) -> None:
    """Nobody hears the answer."""
