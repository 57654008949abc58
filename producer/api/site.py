"""The page, and the headers that keep browsers from doing anything but what it needs."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PAGE = Path(__file__).parent / "page"
router = APIRouter()


@router.get("/", include_in_schema=False)
def index() -> FileResponse:
    """The page."""
    return FileResponse(_PAGE / "index.html")


def serve_page(app: FastAPI) -> None:
    """Serve the page of ``app`` and its files."""
    app.include_router(router)
    app.mount("/page", StaticFiles(directory=_PAGE), name="page")


class SafeHeaders:
    """Adds headers to every answer: no page of others may frame or feed this one, nothing is guessed or passed on."""

    def __init__(self, app: ASGIApp, stores: Iterable[str]) -> None:
        self._app = app
        self._headers = [
            (b"content-security-policy", policy(stores).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        kept = b"no-store" if scope.get("path", "").startswith("/v1/") else b"no-cache"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers, (b"cache-control", kept)]
            await send(message)

        await self._app(scope, receive, with_headers)


def policy(stores: Iterable[str]) -> str:
    """The content security policy: code and styles of this server only, data also from the ``stores``' origins."""
    also = " ".join(stores)
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' data: blob: {also}",
        "media-src": f"'self' blob: {also}",
        "connect-src": f"'self' {also}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
