"""Who asks: the token of a request, and what it may see."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from producer.api.limits import RateLimit
from producer.api.problems import Problem
from producer.api.tokens import Scope, Token, TokenFile
from producer.fleet import Fleet
from schema.catalog import JobInfo
from schema.errors import SourceMissing
from workers.storage.signed import Signed

_bearer = HTTPBearer(auto_error=False, description="A token of 'posefleet token create'.")


@dataclass(frozen=True)
class Service:
    """What requests are answered with."""

    fleet: Fleet
    tokens: TokenFile
    limit: RateLimit
    signed: Signed
    watchers: Counter[str] = field(default_factory=Counter)
    """How many jobs each token watches now."""

    def seen(self, token: Token, job_id: str) -> JobInfo:
        """A job that ``token`` may see.

        Raises:
            SourceMissing: there is no such job, or it is another submitter's.
        """
        info = self.fleet.info(job_id)
        if not may_see(token, info):
            raise SourceMissing(f"there is no job {job_id}")
        return info


def may_see(token: Token, info: JobInfo) -> bool:
    """Whether a job is the token's, or the token an admin's."""
    return token.may("admin") or info.submitter == token.name


def service(request: Request) -> Service:
    """The service of the application that was asked."""
    return cast("Service", request.app.state.service)


async def _service(request: Request) -> Service:
    return service(request)


def needs(scope: Scope, *, limited: bool = True) -> Callable[..., Awaitable[Token]]:
    """A dependency that refuses whoever has no token of ``scope``, or asks too often where that is ``limited``."""

    async def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Token:
        asked = service(request)
        token = asked.tokens.find(credentials.credentials) if credentials else None
        if token is None:
            said = "the token is not valid" if credentials else "there is no token: send 'Authorization: Bearer …'"
            raise Problem(401, said, {"WWW-Authenticate": "Bearer"})
        wait_s = asked.limit.take(token.name) if limited else 0.0
        if wait_s:
            raise Problem(429, "too many requests for one token", {"Retry-After": str(math.ceil(wait_s))})
        if not token.may(scope):
            raise Problem(403, f"the token {token.name} lacks the scope {scope}")
        return token

    return check


Asked = Annotated[Service, Depends(_service)]
Reader = Annotated[Token, Depends(needs("read"))]
Submitter = Annotated[Token, Depends(needs("submit"))]
Manager = Annotated[Token, Depends(needs("manage"))]
