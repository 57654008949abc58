"""What a Celery worker tells of itself, tied to the moments of its life; its parent serves what its processes note."""

import logging
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from billiard.process import current_process
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_after_setup,
    celeryd_init,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from schema.queue import unit_of
from schema.settings import current
from workers.telemetry import logs, measure, meters, tracing
from workers.telemetry.meters import Meter
from workers.telemetry.pulse import Pulse
from workers.work import work_root

log = logging.getLogger("posefleet")

_FOLDER = "POSEFLEET_METRICS_FOLDER"
"""Tells processes of a worker where to note."""


_EARLY_LOG = "_MP_FORK_LOGLEVEL_"
"""Tells billiard what to log in a new process before Celery sets up logging there."""
_pulses: list[Pulse] = []


@celeryd_init.connect
def begin(sender: str, instance: Any, **_: object) -> None:
    """Know the worker's name; Celery's banner, and what it warns of before it logs, are no JSON."""
    if logs.as_json():
        instance.quiet = True
        logs.set_up(sender.partition("@")[0])
        logging.captureWarnings(True)
    logs.name_worker(sender)


@after_setup_logger.connect
@after_setup_task_logger.connect
def shape(logger: logging.Logger, **_: object) -> None:
    """Let Celery set up logging, then give it our format."""
    logs.shape(logger)


@worker_init.connect
def prepare(**_: object) -> None:
    """Make the folder that processes will note in, before there are any."""
    if current().metrics_port is None:
        return
    folder = work_root() / f"{os.getpid()}-metrics"
    shutil.rmtree(folder, ignore_errors=True)
    os.environ[_FOLDER] = str(folder)
    _note_in(folder, "parent")


@celeryd_after_setup.connect
def silence(**_: object) -> None:
    """Have nothing logged but by our handlers."""
    if logs.as_json():
        os.environ[_EARLY_LOG] = ""


@celeryd_after_setup.connect
def serve(**_: object) -> None:
    """Serve what this worker's processes note; a worker whose port is taken works without."""
    settings = current()
    if settings.metrics_port is None:
        return
    from workers.telemetry import prometheus

    registry = prometheus.registry_of(prometheus.Gauges(_running), folder=Path(os.environ[_FOLDER]))
    try:
        prometheus.serve(registry, settings.metrics_host, settings.metrics_port)
    except OSError as error:
        log.error("no metrics at %s port %d: %s", settings.metrics_host, settings.metrics_port, error)
    else:
        log.info("metrics at http://%s:%d/metrics", settings.metrics_host, settings.metrics_port)


@worker_process_init.connect
def begin_process(sender: str, **_: object) -> None:
    """Note where the process that this one takes the place of has noted."""
    logs.name_worker(sender)
    if folder := os.environ.get(_FOLDER):
        _note_in(Path(folder), str(getattr(current_process(), "index", os.getpid())))


@worker_ready.connect
def appear(sender: Any, **_: object) -> None:
    """Show up in Redis from now on."""
    queues = list(sender.app.amqp.queues.consume_from)
    _pulses.append(Pulse(current().redis_url, sender.hostname, queues, sender.pool.num_processes))


@worker_shutdown.connect
def disappear(**_: object) -> None:
    """Show up no more."""
    while _pulses:
        _pulses.pop().end()
    if folder := os.environ.get(_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


@worker_process_shutdown.connect
def leave(**_: object) -> None:
    """Send the spans that are left."""
    tracing.flush()


def _note_in(folder: Path, name: str) -> None:
    from workers.telemetry import prometheus

    try:
        folder.mkdir(parents=True, exist_ok=True)
        measure.collect(prometheus.in_files(folder, name))
    except OSError as error:
        log.error("process %s is not measured: %s", name, error)


def _running() -> dict[Meter, dict[tuple[str, ...], float]]:
    from celery.worker.state import active_requests

    steps: Counter[tuple[str, ...]] = Counter(_step(request) for request in list(active_requests))
    return {meters.RUNNING: {step: float(count) for step, count in steps.items()}}


def _step(request: Any) -> tuple[str, ...]:
    return (unit_of(request.id)[0],)
