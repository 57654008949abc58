"""Compile what workers compile when they start, into the cache folder: ``python -m workers.compiled``, for images.

Python compiles what is imported here and by the process that reads sources, numba the decoders and the tracker, and
matplotlib lists its fonts.
"""

from importlib import import_module

_IMPORTED = (
    "billiard.popen_spawn_posix",
    "billiard.semaphore_tracker",
    "billiard.spawn",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "kombu.transport.redis",
    "workers.consumer",
    "workers.formats.exports.labs",
    "workers.formats.plots",
    "workers.models.litert",
    "workers.stages.infer",
    "workers.stages.pictures",
    "workers.stages.publish",
    "workers.stages.render",
    "workers.stages.stitch",
    "workers.tasks",
)


def main() -> None:
    """Import everything and compile the rest."""
    for name in _IMPORTED:
        import_module(name)
    for name in ("workers.core.decoder", "workers.core.single_decoder", "workers.stages.tracking"):
        import_module(name).load()
    import_module("workers.held").store()
    import_module("workers.media.jail.calls").warm()


if __name__ == "__main__":
    main()
