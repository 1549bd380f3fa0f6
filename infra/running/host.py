"""An engine at work on the data folder while something is waited for, whoever runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog

from core.errors import BusyError, TaggingError
from core.ports import Ports
from core.settings import Settings
from infra.running.engine import Engine, open_engine
from infra.wiring.adapters import open_ports

T = TypeVar("T")
OpenEngine = Callable[[Settings, Ports], AbstractAsyncContextManager[Engine]]

_log = structlog.get_logger()

_LOOK_AGAIN_S = 1.0


class StoppedError(TaggingError):
    """The process was asked to stop before the work was done; nothing is lost."""

    exit_code = 130


async def with_engine(
    settings: Settings,
    job: Callable[[Ports], Awaitable[T]],
    stop: asyncio.Event,
    opening: OpenEngine = open_engine,
) -> T:
    """What ``job`` returns, done while an engine works on the data folder.

    That is another process's, if there is one; else this process becomes the engine, also when
    the other one ends before the job does. The job starts at once, while models are still loaded.
    On a cluster the stages are processes of their own, and this one only does the job.

    Raises:
        StoppedError: ``stop`` was set before the job was done.
        TaggingError: what stopped the engine.
    """
    async with open_ports(settings) as ports:
        done = asyncio.Event()
        engine = asyncio.create_task(_be_engine(settings, ports, done, opening))
        work = asyncio.ensure_future(job(ports))
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((engine, work, asked), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not engine.done():
                raise StoppedError("stopped before all was done; the same command goes on with it")
        finally:
            # The job first: what it is in the middle of needs the ports, not the engine.
            for task in (work, asked):
                task.cancel()
            await asyncio.gather(work, asked, return_exceptions=True)
            done.set()
            await asyncio.gather(engine, return_exceptions=True)
        if not work.cancelled():
            return await work
        await engine
        raise StoppedError("the engine ended before all was done; the same command goes on with it")


async def _be_engine(
    settings: Settings, ports: Ports, done: asyncio.Event, opening: OpenEngine
) -> None:
    """Runs an engine until ``done``; while another process does, waits for that one to end."""
    if settings.clustered:
        await done.wait()
        return
    while not done.is_set():
        try:
            async with opening(settings, ports) as engine:
                if not done.is_set():
                    await _run(engine, done)
        except BusyError as busy:
            _log.info("engine_elsewhere", reason=str(busy))
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await done.wait()
            except TimeoutError:
                continue


async def _run(engine: Engine, done: asyncio.Event) -> None:
    running = asyncio.create_task(engine.run())
    ending = asyncio.create_task(done.wait())
    try:
        await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
        engine.stop()
        await running
    finally:
        ending.cancel()
        running.cancel()
        await asyncio.gather(running, ending, return_exceptions=True)
