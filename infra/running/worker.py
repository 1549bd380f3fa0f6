"""A part of the engine as a process of its own: waits for what it needs, works, ends in order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Protocol

import structlog

from core import telemetry
from core.errors import OutageError
from core.runtime.retry import RetryPolicy
from core.runtime.runner import StageRunner
from core.runtime.supervised import supervised
from core.runtime.waiting import pause, when
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
    stages: Sequence[str] = (),
) -> None:
    """Opens the worker and runs it until ``stop``. A dependency that is away at the start is
    waited for, as it is later.

    Args:
        stages: those of the worker; they are exported as paused while they cannot even start.

    Raises:
        TaggingError: what no waiting mends.
    """
    state = _State()
    with ExitStack() as exported:
        for stage in stages:
            exported.enter_context(telemetry.PAUSED.read(stage, lambda: state.postponed))
        async with endpoint(settings.http_host, settings.http_port, state.trouble):
            await _run(state, opening, stop)


async def _run(
    state: _State,
    opening: Callable[[], AbstractAsyncContextManager[Worker]],
    stop: asyncio.Event,
) -> None:
    failures = 0
    while not stop.is_set():
        try:
            async with opening() as worker:
                state.worker, state.postponed = worker, False
                await worker.run(stop)
                return
        except OutageError as outage:
            failures += 1
            state.worker, state.reason, state.postponed = None, str(outage), True
            _log.warning("start_postponed", reason=state.reason)
            await pause(_POLICY.delay(failures), stop)


class _State:
    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.reason = "starting"
        self.postponed = False

    def trouble(self) -> str | None:
        return self.worker.trouble() if self.worker is not None else self.reason


class StageWorker:
    """Some stages, and the gauges that say how far behind they are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self, stop: asyncio.Event) -> None:
        async with supervised(lambda _: self._engine.stop()) as tasks:
            tasks.start("stop", when(stop, self._engine.stop))
            tasks.start("lag gauge", self._measure())
            await self._engine.run()

    def trouble(self) -> str | None:
        return self._engine.trouble()

    async def _measure(self) -> None:
        while True:
            for runner in self._engine.runners:
                telemetry.LAG.labels(runner.stage.name).set(await self._lag(runner))
            await asyncio.sleep(_LAG_EVERY_S)

    async def _lag(self, runner: StageRunner) -> float:
        """NaN while the log is away: a figure of before would be believed."""
        topics = [model.topic for model in runner.stage.reads]
        try:
            return sum((await self._engine.ports.log.lag(runner.group, topics)).values())
        except OutageError as outage:  # the stage itself says so, louder
            _log.debug("lag_unknown", stage=runner.stage.name, reason=str(outage))
            return math.nan
