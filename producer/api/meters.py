"""What the API measures of itself, for Prometheus."""

import time
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter(tags=["health"])


class Meters:
    """Counts answers, and the seconds until they begin."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._answers = Counter("posefleet_api_requests_total", "Answered requests", labels, registry=self.registry)
        self._seconds = Histogram(
            "posefleet_api_seconds", "From a request to the start of its answer", ("route",), registry=self.registry
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answer."""
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class Measured:
    """Notes every answer of an application by its route, never by its path."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if route != "other" else "other"
                self._meters.note(method, route, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noted)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """What Prometheus reads."""
    return Response(generate_latest(cast("Meters", request.app.state.meters).registry), media_type=CONTENT_TYPE_LATEST)
