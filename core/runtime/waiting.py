"""Waits that end when the end is asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def pause(seconds: float, end: asyncio.Event) -> None:
    """Sleeps, but not beyond ``end``."""
    with contextlib.suppress(TimeoutError):
        # Not wait_for, which may swallow the cancellation that ends us (until Python 3.12).
        async with asyncio.timeout(seconds):
            await end.wait()


async def unless(end: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` returns; None if ``end`` is set before. Then it is cancelled, and its own end
    is waited for. Raises what it raises."""
    task = asyncio.create_task(work)
    ending = asyncio.create_task(end.wait())
    try:
        await asyncio.wait((task, ending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        ending.cancel()
        await asyncio.gather(task, ending, return_exceptions=True)
    if task.cancelled() and end.is_set():
        return None
    return task.result()


async def when(event: asyncio.Event, call: Callable[[], object]) -> None:
    """Calls once the event is set."""
    await event.wait()
    call()
