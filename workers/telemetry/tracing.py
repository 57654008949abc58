"""OpenTelemetry traces: one per job, from its acceptance to its manifest.

They are on where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set and the extra ``otel`` is installed; else nothing is loaded.
The ids of a trace and of its first span are a digest of the job id, which every message carries: so what is delivered
again, or sent again by the sweeper, belongs to the same trace.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from celery.exceptions import Reject, Retry

from workers.telemetry.measure import Work

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("posefleet")

WHERE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_FLUSH_MS = 2000
_NO_ERRORS = (Retry, Reject)
_first = threading.local()


def enqueued(job_id: str, uri: str, began_s: float) -> None:
    """Note that a job was accepted and its first message sent: the first span of its trace.

    Args:
        job_id: the job.
        uri: of its source.
        began_s: when it was accepted, seconds since 1970.
    """
    if (provider := _provider()) is None:
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

    _first.ids = _ids(job_id)
    try:
        about = {"posefleet.job": job_id, "posefleet.uri": uri}
        tracer = provider.get_tracer("posefleet")
        tracer.start_span("enqueue", Context(), SpanKind.PRODUCER, about, start_time=round(began_s * 1e9)).end()
    finally:
        _first.ids = None


def over(work: Work) -> AbstractContextManager[None]:
    """A span for a task."""
    provider = _provider()
    return nullcontext() if provider is None else _span(provider, work)


def flush() -> None:
    """Send what has not been sent; waits for two seconds at most."""
    if os.environ.get(WHERE) and (provider := _provider()) is not None:
        provider.force_flush(_FLUSH_MS)


@contextmanager
def _span(provider: "TracerProvider", work: Work) -> Iterator[None]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    tracer = provider.get_tracer("posefleet")
    about = {"posefleet.job": work.job_id, "posefleet.step": work.step, "posefleet.range": work.unit}
    with tracer.start_as_current_span(
        work.step,
        _parent(provider, work.job_id),
        SpanKind.CONSUMER,
        about,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except _NO_ERRORS as again:
            span.set_attribute("posefleet.again", str(again))
            raise
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            raise
        finally:
            span.set_attribute("posefleet.attempt", work.attempt)
            span.set_attributes({f"posefleet.{part}_s": seconds for part, seconds in work.seconds.items()})


def _parent(provider: "TracerProvider", job_id: str) -> "Context":
    """The first span of a job's trace, as whoever accepted the job made it, or did not."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    trace_id, span_id = _ids(job_id)
    sampled = provider.sampler.should_sample(None, trace_id, "enqueue").decision.is_sampled()
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)))


def _ids(job_id: str) -> tuple[int, int]:
    """Of a job's trace and of its first span."""
    digest = hashlib.sha256(f"posefleet {job_id}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


@cache
def _provider() -> "TracerProvider | None":
    """This process's; none where traces are off."""
    if not os.environ.get(WHERE):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError:
        log.warning("%s is set, but the extra 'otel' is not installed: no traces", WHERE)
        return None

    class Ids(RandomIdGenerator):
        """Random but for first spans."""

        def generate_trace_id(self) -> int:
            return int(ids[0]) if (ids := getattr(_first, "ids", None)) else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return int(ids[1]) if (ids := getattr(_first, "ids", None)) else super().generate_span_id()

    os.environ.setdefault("OTEL_SERVICE_NAME", "posefleet")
    provider = TracerProvider(id_generator=Ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
