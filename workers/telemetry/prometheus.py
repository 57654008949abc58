"""Metrics as Prometheus reads them: of one process, or of a worker whose processes share files."""

import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest, start_http_server
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from schema.version import VERSION
from workers.telemetry import meters
from workers.telemetry.measure import Sink
from workers.telemetry.meters import Meter

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_FILE_BYTES = 1 << 16
"""What the library begins a file with."""

Series = dict[tuple[str, ...], float]
"""Values of a gauge by its labels."""


def in_memory(registry: CollectorRegistry) -> Sink:
    """Note everything in this process, and have it in ``registry``."""
    return _sink(registry)


def in_files(folder: Path, name: str) -> Sink:
    """Note everything in files of ``folder``; whoever has the same ``name`` later goes on with them.

    So a process that takes the place of one that was killed counts on from there, and nothing is left to clear up.

    Raises:
        OSError: there is no room for them.
    """
    os.environ[_FOLDER] = str(folder)
    for kind in ("counter", "summary", "histogram"):
        _take_room(folder / f"{kind}_{name}.db")
    values.ValueClass = values.MultiProcessValue(lambda: cast("int", name))
    return _sink(None)


def _take_room(path: Path) -> None:
    """Have the disk's blocks: writing to memory that stands for a full disk ends a process."""
    if not path.exists():
        part = path.with_suffix(".new")
        part.write_bytes(bytes(_FILE_BYTES))
        part.rename(path)


def _sink(registry: CollectorRegistry | None) -> Sink:
    made = {meter.name: _made(meter, registry) for meter in meters.WORKER}
    for meter in meters.WORKER:
        for labels in meter.begins:
            made[meter.name].labels(*labels)

    def note(meter: Meter, amount: float, labels: tuple[str, ...]) -> None:
        metric = made[meter.name].labels(*labels) if labels else made[meter.name]
        if isinstance(metric, Counter):
            metric.inc(amount)
        elif isinstance(metric, Summary | Histogram):
            metric.observe(amount)

    return note


def _made(meter: Meter, registry: CollectorRegistry | None) -> MetricWrapperBase:
    if meter.kind == "counter":
        return Counter(meter.name, meter.text, meter.labels, registry=registry)
    if meter.kind == "summary":
        return Summary(meter.name, meter.text, meter.labels, registry=registry)
    return Histogram(meter.name, meter.text, meter.labels, registry=registry, buckets=meter.buckets)


class Gauges(Collector):
    """Gauges that are asked for when somebody looks; one that has no values is left out."""

    def __init__(self, ask: Callable[[], dict[Meter, Series]]) -> None:
        self._ask = ask

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Ask now."""
        for meter, series in self._ask().items():
            family = GaugeMetricFamily(meter.name, meter.text, labels=meter.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            yield family


def build() -> dict[Meter, Series]:
    """What runs here."""
    from celery import __version__ as celery

    return {meters.BUILD: {(VERSION, platform.python_version(), celery): 1.0}}


def registry_of(*collectors: Collector, folder: Path | None = None) -> CollectorRegistry:
    """What is shown: what runs here, ``collectors``, and what processes have noted in the files of ``folder``."""
    registry = CollectorRegistry()
    for collector in (Gauges(build), *collectors):
        registry.register(collector)
    if folder is not None:
        MultiProcessCollector(registry, str(folder))
    return registry


def page(registry: CollectorRegistry) -> bytes:
    """All metrics as text of `CONTENT_TYPE`."""
    return generate_latest(registry)


def serve(registry: CollectorRegistry, host: str, port: int) -> Callable[[], None]:
    """Show ``registry`` over HTTP, in a thread; what stops it.

    Raises:
        OSError: the port is taken.
    """
    server, thread = start_http_server(port, host, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
