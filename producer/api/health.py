"""Whether the API lives, and whether it can work."""

from fastapi import APIRouter
from pydantic import BaseModel

from producer.api.auth import Asked
from producer.api.problems import documented

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives."""
    return Health()


@router.get("/readyz", responses={503: documented()[503]})
def readyz(asked: Asked) -> Health:
    """Redis and object storage answer."""
    asked.fleet.progress.ping()
    asked.fleet.store.head("ready")
    return Health()
