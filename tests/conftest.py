"""What holds for every test: logs as JSON lines, properties without a stopwatch, one server of a
kind for the whole session."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from core.telemetry import configure_logging
from tests.servers import session
from tests.servers.cache import fetch_declared

# Speed is measured by benchmarks; a deadline here would only fail on a busy machine.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
configure_logging("warning", "json")


def pytest_configure(config: pytest.Config) -> None:
    session.begin(config)


def pytest_collection_finish() -> None:
    fetch_declared()
