"""Workers of a stage: tasks that take what is ready from the lanes, one item after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from core.runtime.lanes import Lanes

T = TypeVar("T")


class Workers(Generic[T]):
    """Work on items, in order inside a lane and at most ``concurrency`` at a time.

    A worker that is done with its item goes on with what is ready by then, and ends when nothing
    is: a task for every item would cost more than many a handler does.

    Args:
        work: does one item; its errors are its own to handle.

    Attributes:
        in_flight: items that were added and have not ended, those that wait included.
        ended: set when an item ends; a caller clears it before it waits for the next end.
    """

    def __init__(self, concurrency: int, work: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        self.in_flight = 0
        self.ended = asyncio.Event()
        self._lanes: Lanes[T] = Lanes(concurrency)
        self._work = work
        self._busy: dict[asyncio.Task[None], T] = {}

    def add(self, lane: str, item: T) -> None:
        """Puts an item at the end of its lane; :meth:`start` lets it begin."""
        self.in_flight += 1
        self._lanes.add(lane, item)

    def start(self) -> None:
        """Begins with what may run now."""
        while (ready := self._lanes.take()) is not None:
            self._busy[asyncio.create_task(self._run(*ready))] = ready[1]

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Forgets items that have not begun."""
        self.in_flight -= self._lanes.drop(unwanted)

    async def drain(self, wanted: Callable[[T], bool], limit: float) -> None:
        """Waits until these items that have begun end; cancels those that take longer than
        ``limit`` seconds."""

        def busy() -> list[asyncio.Task[None]]:
            return [task for task, item in self._busy.items() if wanted(item)]

        async def idle() -> None:
            while busy():
                self.ended.clear()
                await self.ended.wait()

        try:
            async with asyncio.timeout(limit):
                await idle()
        except TimeoutError:
            for task in busy():
                task.cancel()
            await idle()

    async def _run(self, lane: str, item: T) -> None:
        me = asyncio.current_task()
        assert me is not None
        try:
            while True:
                try:
                    await self._work(item)
                finally:
                    self.in_flight -= 1
                    self._lanes.finish(lane)
                    self.ended.set()
                if (ready := self._lanes.take()) is None:
                    return
                lane, item = ready
                self._busy[me] = item
        finally:
            del self._busy[me]
            self.start()  # where this one was cancelled, others go on
