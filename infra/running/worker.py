"""A part of the engine as a process of its own: waits for what it needs, works, ends in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog

from core import telemetry
from core.errors import OutageError
from core.runtime.retry import RetryPolicy
from core.settings import Settings
from infra.running.endpoint import endpoint
from infra.running.engine import Engine

_log = structlog.get_logger()

_LAG_EVERY_S = 10.0
_POLICY = RetryPolicy(base_s=0.5, cap_s=10.0)


class Worker(Protocol):
    """What runs in the process."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``, and then to an end in order."""
        ...

    def trouble(self) -> str | None:
        """Why it does not work right now, None while it does."""
        ...


async def run_worker(
    settings: Settings,
    opening: Callable[[], AbstractAsyncContextManager[Worker]],
    stop: asyncio.Event,
) -> None:
    """Opens the worker and runs it until ``stop``. A dependency that is away at the start is
    waited for, as it is later.

    Raises:
        TaggingError: what no waiting mends.
    """
    state = _State()
    async with endpoint(settings.http_host, settings.http_port, state.trouble):
        failures = 0
        while not stop.is_set():
            try:
                async with opening() as worker:
                    state.worker = worker
                    await worker.run(stop)
                    return
            except OutageError as outage:
                failures += 1
                state.worker, state.reason = None, str(outage)
                _log.warning("start_postponed", reason=state.reason)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _POLICY.delay(failures))


class _State:
    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.reason = "starting"

    def trouble(self) -> str | None:
        return self.worker.trouble() if self.worker is not None else self.reason


class StageWorker:
    """Some stages, and the gauges that say how far behind they are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self, stop: asyncio.Event) -> None:
        running = asyncio.create_task(self._engine.run())
        asked = asyncio.create_task(stop.wait())
        measuring = asyncio.create_task(self._measure())
        try:
            await asyncio.wait((running, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._engine.stop()
            asked.cancel()
            measuring.cancel()
            await asyncio.gather(running, asked, measuring, return_exceptions=True)
        running.result()

    def trouble(self) -> str | None:
        return self._engine.trouble()

    async def _measure(self) -> None:
        log = self._engine.ports.log
        while True:
            for runner in self._engine.runners:
                topics = [model.topic for model in runner.stage.reads]
                with contextlib.suppress(OutageError):  # the stage itself says so, louder
                    lag = await log.lag(runner.group, topics)
                    telemetry.LAG.labels(runner.stage.name).set(sum(lag.values()))
            await asyncio.sleep(_LAG_EVERY_S)
