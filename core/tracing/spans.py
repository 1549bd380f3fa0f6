"""Spans of events, sent to a collector by OpenTelemetry.

Their ids are not OpenTelemetry's to choose: they stand in the events' ``traceparent``. A span lasts
from the reading of its parent event to its own publication, waits and retries included.

Sources: OpenTelemetry's specification, its semantic conventions for CloudEvents.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.log.port import Message
from core.telemetry import quieten

_ATTRIBUTES = {
    "ce_id": "cloudevents.event_id",
    "ce_source": "cloudevents.event_source",
    "ce_type": "cloudevents.event_type",
    "ce_subject": "cloudevents.event_subject",
    "ce_frame": "tagger.frame",
    "ce_purpose": "tagger.purpose",
    "ce_pipeline": "tagger.pipeline",
    "ce_replay": "tagger.replay",
}
_W3C = TraceContextTextMapPropagator()


class Spans:
    """Gathers spans and sends them in the background; what a collector does not take is dropped.

    The standard environment variables of OpenTelemetry (``OTEL_SERVICE_NAME``,
    ``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS``, ...) hold.
    """

    def __init__(self, endpoint: str) -> None:
        quieten("opentelemetry", "collector_trouble", loud=logging.ERROR)
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "tagger"}), id_generator=self._ids
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tagging-engine")

    def published(
        self, messages: Sequence[Message], parent: str | None, seconds: float, error: str | None
    ) -> None:
        """See ``core.tracing.traces.published``."""
        end = time.time_ns()
        above = _span(parent)
        for message in messages:
            own = _span(message.headers.get("traceparent"))
            if not own.is_valid:
                continue
            self._ids.given = own
            span = self._tracer.start_span(
                message.topic,
                _inside(above, own),
                attributes=_attributes(message),
                links=[Link(above)] if above.is_valid and above.trace_id != own.trace_id else (),
                start_time=end - int(seconds * 1e9),
            )
            if error is not None:
                span.set_status(Status(StatusCode.ERROR, error))
            span.end(end)

    def close(self) -> None:
        """Sends what was gathered, in bounded time."""
        self._provider.shutdown()


class _GivenIds(IdGenerator):
    """Asked for ids at each start of a span."""

    given: SpanContext

    def generate_trace_id(self) -> int:
        return self.given.trace_id

    def generate_span_id(self) -> int:
        return self.given.span_id


def _span(traceparent: str | None) -> SpanContext:
    """An invalid one if there is none, or if a stranger's makes no sense."""
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return trace.get_current_span(_W3C.extract(carrier, Context())).get_span_context()


def _inside(above: SpanContext, own: SpanContext) -> Context:
    """A stranger's upload may come with a trace of its own: ours begins anew, and is linked."""
    if not above.is_valid or above.trace_id != own.trace_id:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(above), Context())


def _attributes(message: Message) -> dict[str, str]:
    headers = message.headers
    return {name: headers[header] for header, name in _ATTRIBUTES.items() if header in headers}
