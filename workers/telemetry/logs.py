"""Logs: text for people, or JSON lines that say which job, step and frames they are about."""

import json
import logging
import socket
import time
from typing import Any

from schema.names import STEPS
from schema.queue import unit_of
from schema.settings import current
from workers.telemetry.measure import now

_TEXT = "[%(asctime)s: %(levelname)s] %(message)s"


class _Process:
    """Of this process."""

    worker = ""


class JsonLines(logging.Formatter):
    """One object per line: time (UTC), level, message; job, step, range, worker, seconds and error where known."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        step, job, unit = _about(record)
        said = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "job": job,
            "step": step,
            "range": unit,
            "worker": _Process.worker,
            "seconds": getattr(record, "seconds", None),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in said.items() if value not in (None, "")}, ensure_ascii=False)


def _about(record: logging.LogRecord) -> tuple[str, str, str]:
    """Step, job and unit: of the task that Celery tells of, else of the one that this process is at."""
    told: Any = record.args if isinstance(record.args, dict) else getattr(record, "data", None)
    if isinstance(told, dict) and isinstance(told.get("id"), str) and unit_of(told["id"])[0] in STEPS:
        return unit_of(told["id"])
    work = now()
    return work.step, work.job_id, work.unit


def set_up(name: str) -> None:
    """Log to standard error as the settings say.

    Args:
        name: of this process, such as ``sweeper``; its machine is added.
    """
    name_worker(f"{name}@{socket.gethostname()}")
    logging.basicConfig(level=logging.INFO, format=_TEXT)
    shape(logging.getLogger())


def name_worker(name: str) -> None:
    """Say ``name`` in every line of this process."""
    _Process.worker = name


def as_json() -> bool:
    """Whether lines are to be JSON."""
    return current().log_format == "json"


def shape(logger: logging.Logger) -> None:
    """Give the handlers of ``logger`` the format that the settings ask for; text stays as it is."""
    if as_json():
        for handler in logger.handlers:
            handler.setFormatter(JsonLines())
