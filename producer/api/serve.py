"""Serve the application by uvicorn."""

import gc

import uvicorn

from producer.api.app import make_app
from producer.fleet import Fleet
from producer.models import models_for
from schema.options import Options
from workers.telemetry import logs

_GRACE_S = 3


def serve(fleet: Fleet, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; who watches a job then is hung up on after `_GRACE_S`.

    Links to object storage and tokens stand in no log: there is no log of requests.

    Raises:
        ModelError: the fleet's model has not been pulled here, so no job could be accepted.
    """
    models_for(fleet.settings, None, Options())
    logs.set_up("api")
    app = make_app(fleet)
    _forget_garbage()
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _forget_garbage() -> None:
    """Never look through modules for garbage again: that takes a tenth of a second, in which nobody is answered."""
    gc.collect()
    gc.freeze()
