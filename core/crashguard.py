"""Finds the event that kills its process.

An event that takes the whole process down (a segfault, the kernel's out-of-memory killer) leaves
no error to count. So a run leaves a mark while it lives. Whoever finds the mark of a run that did
not end cleanly handles what that run had not committed one at a time, and notes each attempt
before it starts: the event that keeps dying is then known, and dead-lettered.

Who died least goes first. So an innocent that was under way when somebody pulled the plug is not
tried again before its neighbours, where every early end would count against it; and a guilty one
keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from core.errors import PermanentError
from core.log.port import Record, TopicPartition
from core.state.port import StateStore

_LAST = 1 << 30


class KilledProcessError(PermanentError):
    """Handling this event ended the whole process, several times; look at the medium."""


class CrashGuard:
    """One group's mark and, after an unclean end, its suspects."""

    def __init__(self, group: str, state: StateStore, member: str = "0") -> None:
        self._mark = f"running/{group}/{member}"
        self._prefix = f"attempts/{group}"
        self._state = state
        self._unclean = False
        self._until: dict[TopicPartition, int] = {}
        self._turns = _Turns()

    async def open(self) -> None:
        """Reads the mark of the run before, and leaves our own."""
        self._unclean = await self._state.get(self._mark) is not None
        await self._state.put([(self._mark, b"")])

    async def close(self) -> None:
        """Ends the run cleanly."""
        await self._state.delete([self._mark])

    def suspect(self, until: Mapping[TopicPartition, int]) -> None:
        """Offsets below these may have been in flight when the run before died."""
        if self._unclean:
            self._until.update(until)

    def cleared(self, tp: TopicPartition, prefix: int) -> None:
        """Everything before ``prefix`` is done; ends the caution when nothing is left."""
        if self._until and prefix >= self._until.get(tp, prefix + 1):
            del self._until[tp]

    @asynccontextmanager
    async def watch(self, record: Record) -> AsyncIterator[int]:
        """Runs a record alone while there are suspects; gives its attempts that ended in death."""
        if not self._until:
            yield 0
            return
        if record.offset >= self._until.get(record.tp, 0):
            async with self._turns.turn(_LAST):
                yield 0
            return
        key = f"{self._prefix}/{record.topic}/{record.partition}/{record.offset}"
        deaths = int(await self._state.get(key) or b"0")
        async with self._turns.turn(deaths):
            await self._state.put([(key, str(deaths + 1).encode())])
            try:
                yield deaths
            finally:
                # Reached by every end but the process's own.
                await self._state.delete([key])


class _Turns:
    """One at a time; of those who wait, the lowest rank next, and the first of equals."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._taken = False

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        ours: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), ours))
        loop.call_soon(self._next)  # not before those who ask in this moment have asked, too
        try:
            await ours
            yield
        finally:
            if ours.done() and not ours.cancelled():
                self._taken = False
                self._next()

    def _next(self) -> None:
        while self._waiting and not self._taken:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():
                self._taken = True
                first.set_result(None)
