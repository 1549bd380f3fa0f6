"""Ctrl-C and SIGTERM: once for an ordered end, twice for one at once. Neither loses anything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import FrameType
from typing import TypeVar

from core.runtime.collecting import collect_seldom

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_stopped(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Runs ``work`` on a new event loop; the event it is given is set by the first signal.

    A second signal ends the process on the spot: what was published stands in the log, the rest is
    done again by the next start.
    """

    async def supervised() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        asked = False

        # Not the loop's own handler: the second signal must work while the loop is busy, too.
        def on_signal(number: int, _: FrameType | None) -> None:
            nonlocal asked
            if asked:
                os._exit(128 + number)
            asked = True
            loop.call_soon_threadsafe(stop.set)
            print("tagger: stopping in order; once more stops at once", file=sys.stderr)

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        try:
            return await work(stop)
        finally:
            if not asked:  # else a second one would find the way out without us, and print a trace
                for number, handler in before.items():
                    signal.signal(number, handler)

    collect_seldom()
    return asyncio.run(supervised())


async def until(stop: asyncio.Event, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items, ended by ``stop`` also while the next one is waited for."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            following = asyncio.ensure_future(anext(items))
            await asyncio.wait((following, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                return
            try:
                yield following.result()
            except StopAsyncIteration:
                return
    finally:
        stopped.cancel()
        await items.aclose()
