"""How often a token may ask, how large a request may be."""

import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.api.problems import Problem, answer

MOST_BYTES = 1 << 20
_BURST = 4


class RateLimit:
    """A bucket per token that fills at a steady rate: for one event loop."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._most = max(1.0, _BURST * per_s)
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Ask for a turn; seconds until there is one, 0 when it was given."""
        now = self._clock()
        level, since = self._levels.get(name, (self._most, now))
        level = min(self._most, level + (now - since) * self._per_s)
        given = level >= 1
        self._levels[name] = (level - given, now)
        return 0.0 if given else (1 - level) / self._per_s


class SmallBodies:
    """Refuses requests of more than `MOST_BYTES`, whether they say so beforehand or not.

    Some paths may take more: `larger` has the most bytes of each.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int]) -> None:
        self._app, self._larger = app, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], MOST_BYTES)
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            await answer(413, _too_large(most))(scope, receive, send)
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise Problem(413, _too_large(most))
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> str:
    return f"a request has at most {most} bytes here: videos are uploaded to object storage, see POST /v1/uploads"
