"""Serve the application by uvicorn."""

import logging

import uvicorn

from producer.api.app import make_app
from producer.fleet import Fleet

_GRACE_S = 3


def serve(fleet: Fleet, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; who watches a job then is hung up on after `_GRACE_S`.

    Links to object storage and tokens stand in no log: there is no log of requests.
    """
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s: %(levelname)s] %(message)s")
    uvicorn.run(
        make_app(fleet),
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
