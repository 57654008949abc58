"""The application: its routes, what surrounds them, and its description in OpenAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi

from producer.api import health, jobs, meters, results, tracks, uploads, watch
from producer.api.auth import Service, needs
from producer.api.limits import RateLimit, SmallBodies
from producer.api.problems import ProblemBody, documented, tell_problems
from producer.api.site import SafeHeaders, serve_page
from producer.api.tokens import TokenFile
from producer.events import PATH, webhook
from producer.fleet import Fleet
from schema.settings import Settings
from schema.version import VERSION
from workers.storage.signed import Signed

_THREADS = 100


def make_app(fleet: Fleet) -> FastAPI:
    """The application of one fleet."""
    settings = fleet.settings
    app = FastAPI(
        title="posefleet",
        version=VERSION,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=_with_threads,
    )
    signed = Signed(settings)
    app.state.service = Service(fleet, TokenFile(settings.tokens_file), RateLimit(settings.api_requests_per_s), signed)
    app.state.meters = meters.Meters()
    for part in (health, meters, uploads, jobs, watch, results, tracks):
        app.include_router(part.router)
    app.include_router(webhook.router(fleet, needs("events", limited=False)), responses=documented(413, 422))
    serve_page(app)
    tell_problems(app)
    app.add_middleware(SmallBodies, larger={PATH: webhook.MOST_BYTES})
    app.add_middleware(meters.Measured, meters=app.state.meters)
    app.add_middleware(SafeHeaders, stores=_stores(settings, signed))
    if origins := _listed(settings.api_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Location", "Retry-After"],
        )
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _with_threads(_: FastAPI) -> AsyncIterator[None]:
    """Threads for requests that wait, such as those that delete jobs, and for those that must not wait for them."""
    current_default_thread_limiter().total_tokens = _THREADS
    yield


def _described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, made once, with the problems that answers refer to."""
    if not app.openapi_schema:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        found["components"]["schemas"]["Problem"] = ProblemBody.model_json_schema()
        app.openapi_schema = found
    return app.openapi_schema


def _stores(settings: Settings, signed: Signed) -> list[str]:
    """Origins that links lead to."""
    buckets = [settings.bucket, *(entry.partition("/")[0] for entry in _listed(settings.api_buckets))]
    return list(dict.fromkeys(signed.origin(bucket) for bucket in buckets))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


_ABOUT = """Videos in, keypoint tracks and annotated videos out.

Upload a file in parts straight to object storage (`/v1/uploads`), create a job of it (`/v1/jobs`), follow it
(`/v1/jobs/{job_id}/events`) and get links to its results. Every request carries `Authorization: Bearer <token>`; errors
are `application/problem+json`."""
