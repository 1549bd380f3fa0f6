"""The whole engine in one process: every stage of ``infra.assembly`` on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from core.errors import OutageError
from core.log.lock import FileLock
from core.log.port import EventLog
from core.media.decode import Decoder
from core.parts import PartStore
from core.retry import RetryPolicy
from core.runner import RunnerOptions, StageRunner
from core.settings import Settings
from core.stage import Stage
from core.vectors.port import VectorStore
from infra.assembly import (
    Ports,
    Vision,
    build_stages,
    load_vision,
    open_decoder,
    open_ports,
    open_vectors,
)

_log = structlog.get_logger()

_MAINTAIN_EVERY_S = 600.0


class Engine:
    """Runs stages until it is stopped; one stage that cannot go on stops all."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        vectors: VectorStore,
        decoder: Decoder,
        stages: Sequence[Stage],
    ) -> None:
        self.settings = settings
        self.ports = ports
        self.vectors = vectors
        self.decoder = decoder
        self.runners = build_runners(settings, ports, stages)
        self._stopping = False

    async def run(self) -> None:
        """Returns after :meth:`stop`, when everything in flight is done or given back; raises
        what stopped a stage."""
        maintenance = asyncio.create_task(_maintain(self.ports.log))
        running = {asyncio.create_task(runner.run()): runner for runner in self.runners}
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await asyncio.gather(*running, return_exceptions=True)
            for task in done:
                task.result()
        finally:
            for task in running:
                task.cancel()
            maintenance.cancel()
            await asyncio.gather(*running, maintenance, return_exceptions=True)

    def stop(self) -> None:
        """Asks every stage for an ordered end."""
        if not self._stopping:
            self._stopping = True
            for runner in self.runners:
                runner.stop()

    async def idle(self) -> bool:
        """Whether every event has been handled, and every whole medium announced."""
        if any(runner.in_flight for runner in self.runners):
            return False
        for runner in self.runners:
            topics = [model.topic for model in runner.stage.reads]
            if any((await self.ports.log.lag(runner.group, topics)).values()):
                return False
        return await PartStore(self.ports.state).unannounced() == 0

    def trouble(self) -> str | None:
        """Why the engine waits, if a dependency is away."""
        for runner in self.runners:
            if runner.gate.closed:
                return f"{runner.stage.name} waits: {runner.gate.reason}"
        return None


def build_runners(settings: Settings, ports: Ports, stages: Sequence[Stage]) -> list[StageRunner]:
    """A runner for each stage, bounded by the settings."""
    runtime = settings.runtime
    options = RunnerOptions(
        concurrency=runtime.concurrency,
        max_in_flight=runtime.max_in_flight,
        grace_s=runtime.grace_s,
    )
    policy = RetryPolicy(max_attempts=runtime.max_attempts)
    return [
        StageRunner(stage, ports.log, ports.blobs, ports.state, options, policy) for stage in stages
    ]


@asynccontextmanager
async def open_engine(
    settings: Settings,
    ports: Ports | None = None,
    load: Callable[[Settings], Vision] = load_vision,
) -> AsyncIterator[Engine]:
    """Opens the data folder for the one process that may be its engine.

    Args:
        ports: the folder's log, state and blobs, where they are open already; they stay open.
        load: loads the models, on a thread of its own.

    Raises:
        BusyError: another process is; the message names it.
    """
    async with AsyncExitStack() as stack:
        lock = _lock(settings)
        lock.acquire(f"the engine of {settings.data_dir}")
        stack.callback(lock.release)
        loading = asyncio.create_task(asyncio.to_thread(load, settings))
        if ports is None:
            ports = await stack.enter_async_context(open_ports(settings))
        vectors = await stack.enter_async_context(open_vectors(settings))
        decoder = await stack.enter_async_context(open_decoder(settings))
        # A decoder starts while the models are loaded: the first medium waits for neither.
        warming = asyncio.create_task(decoder.warm_up())
        stack.push_async_callback(_ended, warming)
        stages = build_stages(settings, ports, vectors, decoder, await loading)
        yield Engine(settings, ports, vectors, decoder, stages)


async def _ended(task: asyncio.Task[None]) -> None:
    """Whatever went wrong in it will go wrong again where it matters."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def engine_process(settings: Settings) -> str | None:
    """The id of the process that is the data folder's engine; None if there is none."""
    return _lock(settings).holder()


def _lock(settings: Settings) -> FileLock:
    return FileLock(settings.data_dir.absolute() / "engine.lock")


async def _maintain(log: EventLog) -> None:
    while True:
        await asyncio.sleep(_MAINTAIN_EVERY_S)
        try:
            await log.maintain()
        except OutageError as outage:
            _log.warning("maintenance_postponed", reason=str(outage))
