"""Traces: one for all that comes of an upload, and one span for each event.

An event's own ``traceparent`` names its span. It is derived like every id, so each process on
whatever host can say which span is whose parent, and a retry gives the same span again.

Source: W3C Trace Context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.log.port import Message

if TYPE_CHECKING:  # imported where spans are asked for, since most runs send none
    from core.tracing.spans import Spans

_spans: Spans | None = None


def configure_tracing(endpoint: str) -> None:
    """Sends spans to an OpenTelemetry collector from now on, or with an empty endpoint nowhere.

    Args:
        endpoint: base URL for OTLP over HTTP, like ``http://collector:4318``.
    """
    global _spans  # one a process, as with logs and metrics
    if _spans is not None:
        _spans.close()
        _spans = None
    if endpoint:
        from core.tracing.spans import Spans

        _spans = Spans(endpoint)


def traced() -> bool:
    """Whether spans are sent; spares the work of gathering what they need."""
    return _spans is not None


def published(
    messages: Sequence[Message],
    parent: str | None = None,
    seconds: float = 0.0,
    error: str | None = None,
) -> None:
    """These events are in the log now.

    Args:
        parent: traceparent of the event that they were made of, None for an upload.
        seconds: how long that took.
        error: why their parent was given up.
    """
    if _spans is not None:
        _spans.published(messages, parent, seconds, error)


def traceparent(root: str, identity: str) -> str:
    """The span of an event: one trace a root, one span an event, the same on a retry."""
    return f"00-{root.replace('-', ''):0<32.32}-{identity.replace('-', ''):0<16.16}-01"
