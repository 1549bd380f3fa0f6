"""Media wait for their turn to be folded, and only so many have theirs at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable


class Turns:
    """Gives media their turns, in the order in which they asked; waiting costs no task.

    Args:
        work: one turn of one medium; gives the seconds after which it wants another, or None.

    Nothing happens before something runs :meth:`serve`, as many times as there may be turns at
    the same time.
    """

    def __init__(self, work: Callable[[str], Awaitable[float | None]]) -> None:
        self._work = work
        self._waiting: dict[str, asyncio.TimerHandle | None] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._busy: set[str] = set()
        self._moved = asyncio.Event()

    def ask(self, media: str, delay: float = 0.0) -> None:
        """Asks for a turn in ``delay`` seconds. A medium that waits for a turn, or has one, is
        given no second one: what its work returns decides whether it goes on."""
        if media in self._waiting or media in self._busy:
            return
        if delay > 0:
            loop = asyncio.get_running_loop()
            self._waiting[media] = loop.call_later(delay, self._is_due, media)
        else:
            self._is_due(media)

    def drop(self, media: Iterable[str]) -> None:
        """These wait no more; turns that have begun go on."""
        for one in media:
            timer = self._waiting.pop(one, None)
            if timer is not None:
                timer.cancel()

    async def idle(self, media: Collection[str]) -> None:
        """Returns when none of these has its turn."""
        while not self._busy.isdisjoint(media):
            await self._move()

    async def room(self, most: int) -> None:
        """Returns when at most this many media wait for nothing but a free turn."""
        while self._ready.qsize() > most:
            await self._move()

    async def serve(self) -> None:
        """Gives one turn after the other; raises what a turn raises."""
        while True:
            media = await self._ready.get()
            self._moved.set()
            if self._waiting.get(media, self) is not None:
                continue  # it was dropped meanwhile, or waits for a later time by now
            del self._waiting[media]
            self._busy.add(media)
            try:
                again = await self._work(media)
            finally:
                self._busy.discard(media)
                self._moved.set()
            if again is not None:
                self.ask(media, again)

    def close(self) -> None:
        self.drop(list(self._waiting))

    def _is_due(self, media: str) -> None:
        self._waiting[media] = None
        self._ready.put_nowait(media)

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()
