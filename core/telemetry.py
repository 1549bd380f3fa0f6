"""Logs and metrics: one place that configures both.

Log lines are events in the past tense with their context bound; payloads and secrets never.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, TextIO, cast

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_log = structlog.get_logger()


class ReadGauge(Collector):
    """A gauge that is read when somebody asks, so it tells the truth also while nothing happens.

    Args:
        merge: makes one figure of those that several engines in this process give for one label.
    """

    def __init__(
        self, name: str, documentation: str, label: str, merge: Callable[[Iterable[float]], float]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._merge = merge
        self._reads: dict[object, tuple[str, Callable[[], float]]] = {}
        REGISTRY.register(self)

    @contextmanager
    def read(self, label: str, read: Callable[[], float]) -> Iterator[None]:
        """Exports what ``read`` gives, for as long as the context is open."""
        key = object()
        self._reads[key] = (label, read)
        try:
            yield
        finally:
            del self._reads[key]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found: dict[str, list[float]] = {}
        for label, read in list(self._reads.values()):
            found.setdefault(label, []).append(float(read()))
        family = GaugeMetricFamily(self._name, self._documentation, labels=[self._label])
        for label, values in found.items():
            family.add_metric([label], self._merge(values))
        yield family


HANDLED = Counter("tagger_events_total", "Events a stage is done with.", ["stage", "outcome"])
RETRIED = Counter("tagger_retries_total", "Attempts that failed and were tried again.", ["stage"])
SECONDS = Histogram(
    "tagger_handle_seconds",
    "From start to publish of one event, waiting for its batch included.",
    ["stage"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
IN_FLIGHT = ReadGauge("tagger_in_flight", "Events read and not yet done.", "stage", sum)
PAUSED = ReadGauge("tagger_paused", "1 while a dependency is away.", "stage", max)
LAG = Gauge(
    "tagger_lag_events",
    "Events that a stage's group has not committed, NaN while the log does not say; every process"
    " of the stage says the same.",
    ["stage"],
)
BATCH_FILL = Histogram(
    "tagger_batch_fill",
    "Share of a device batch that was filled.",
    ["stage"],
    buckets=(0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0),
)
UNREADABLE = Counter(
    "tagger_unreadable_total", "Stored values that were found to be unreadable.", ["kind"]
)
ANNOUNCED = Counter("tagger_announced_total", "Media announced.", ["producer"])
REFUSED = Gauge(
    "tagger_refused_media",
    "Media that a producer sees and does not take in as they are.",
    ["producer", "reason"],
)
INTAKE_PAUSED = Gauge(
    "tagger_intake_paused", "1 while what a producer watches or stores in is away.", ["producer"]
)


class _Stderr:
    """Whatever stderr is when a line is written: a live status takes its place for a while."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(
    level: str = "warning", style: Literal["auto", "console", "json"] = "auto"
) -> None:
    """Logs to stderr: for people on a terminal, as JSON lines elsewhere."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    # Never the fancy tracebacks: they print local variables, that is, payloads.
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )


class _Ours(logging.Handler):
    """A library's log lines among ours."""

    def __init__(self, event: str, loud: int) -> None:
        super().__init__()
        self._event = event
        self._loud = loud

    def emit(self, record: logging.LogRecord) -> None:
        say = _log.warning if record.levelno >= self._loud else _log.debug
        say(self._event, level=record.levelname.lower(), said=record.getMessage())


def quieten(library: str, event: str, loud: int = logging.CRITICAL + 1) -> None:
    """Takes a library's own log lines off stderr; they are there at log level debug, as ``event``.
    What an outage means for us is said once, by who waits for it.

    Args:
        loud: from this level on they are warnings.
    """
    logger = logging.getLogger(library)
    if not any(isinstance(handler, _Ours) for handler in logger.handlers):
        logger.addHandler(_Ours(event, loud))
        logger.setLevel(logging.WARNING)
        logger.propagate = False
