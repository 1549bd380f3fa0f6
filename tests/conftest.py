"""What holds for every test: logs as JSON lines, and properties without a stopwatch."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from core.telemetry import configure_logging

# Speed is measured by benchmarks; a deadline here would only fail on a busy machine.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
configure_logging("warning", "json")
