"""Finds the event that kills its process.

An event that takes the whole process down (a segfault, the kernel's out-of-memory killer) leaves
no error to count. So an owner leaves a mark at each of its partitions and takes it away when it
gives the partition up in order, with no suspect left in it. Whoever gets a partition with a mark,
on whatever host, handles what the owner before had not committed one at a time, and notes each
attempt before it starts: the event that keeps dying is then known, and dead-lettered.

Each partition goes in order, so that what is done can be committed; among partitions the one goes
first whose next event died least. So an innocent that was under way when somebody pulled the plug
is not the first to be under way again, and a guilty one does not keep other partitions waiting.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol, TypeVar

from core.errors import PermanentError
from core.log.port import Record, TopicPartition
from core.state.port import StateStore

T = TypeVar("T")

_LAST = 1 << 30
_COUNT = re.compile(rb"[0-9]{1,6}")


class KilledProcessError(PermanentError):
    """Handling this event ended the whole process, several times; look at the medium."""


class Patience(Protocol):
    """Repeats a call for as long as an outage lasts."""

    async def __call__(self, call: Callable[[], Awaitable[T]], /) -> T: ...


async def _at_once(call: Callable[[], Awaitable[T]], /) -> T:
    return await call()


class CrashGuard:
    """The marks of one group's partitions and, after an unclean end, the suspects.

    Args:
        patiently: waits out an outage of the state store. It is asked call by call, so an outage
            neither repeats a handler nor counts as its attempt.
    """

    def __init__(self, group: str, state: StateStore, patiently: Patience = _at_once) -> None:
        self._marks = f"running/{group}/"
        self._prefix = f"attempts/{group}"
        self._state = state
        self._patiently = patiently
        self._until: dict[TopicPartition, int] = {}
        self._turns = _Turns()

    async def unclean(self, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
        """Those whose last owner did not give them up in order."""
        marks = set(await self._patiently(lambda: self._state.keys(self._marks)))
        return {tp for tp in partitions if self._mark(tp) in marks}

    async def mark(self, partitions: Collection[TopicPartition]) -> None:
        """Says that they have an owner."""

        async def put() -> None:
            await asyncio.gather(*(self._state.put([(self._mark(tp), b"")]) for tp in partitions))

        await self._patiently(put)

    async def leave(self, partitions: Collection[TopicPartition]) -> None:
        """Says that they were given up in order. Where suspects are left, the next owner has to
        know them for such: the mark stays, and so does what was noted of them. Raises OutageError:
        whoever leaves does not wait."""
        clear = [self._mark(tp) for tp in partitions if tp not in self._until]
        for tp in partitions:
            self._until.pop(tp, None)
        await self._state.delete(clear)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """They are somebody else's, or never became ours: their marks are not ours to remove."""
        for tp in partitions:
            self._until.pop(tp, None)

    @property
    def cautious(self) -> bool:
        """Whether records must pass through :meth:`watch`, because there are suspects."""
        return bool(self._until)

    def suspect(self, until: Mapping[TopicPartition, int]) -> None:
        """Offsets below these may have been in flight when the owner before died."""
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
            async with self._turns.turn(record, _LAST):
                yield 0
            return
        key = f"{self._prefix}/{record.topic}/{record.partition}/{record.offset}"
        noted = await self._patiently(lambda: self._state.get(key))
        deaths = _counted(noted)
        attempt = [(key, str(deaths + 1).encode())]
        async with self._turns.turn(record, deaths):
            await self._patiently(lambda: self._state.put(attempt))
            patiently = self._patiently
            try:
                yield deaths
            except asyncio.CancelledError:
                patiently = _at_once  # who cancels does not wait
                raise
            finally:
                # Reached by every end but the process's own.
                await patiently(lambda: self._state.delete([key]))

    def _mark(self, tp: TopicPartition) -> str:
        return f"{self._marks}{tp.topic}/{tp.partition}"


def _counted(noted: bytes | None) -> int:
    """A note that cannot be read says nothing against the event; it is written anew at once."""
    return int(noted) if noted is not None and _COUNT.fullmatch(noted) else 0


class _Waiting(NamedTuple):
    record: Record
    deaths: int
    turn: asyncio.Future[None]


class _Turns:
    """One record at a time."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._taken = False

    @asynccontextmanager
    async def turn(self, record: Record, deaths: int) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        ours = _Waiting(record, deaths, loop.create_future())
        self._waiting.append(ours)
        loop.call_soon(self._next)  # not before those who ask in this moment have asked, too
        try:
            await ours.turn
            yield
        finally:
            if ours in self._waiting:
                self._waiting.remove(ours)
            else:
                self._taken = False
                self._next()

    def _next(self) -> None:
        if self._taken or not self._waiting:
            return
        heads: dict[TopicPartition, _Waiting] = {}
        for waiting in self._waiting:
            head = heads.setdefault(waiting.record.tp, waiting)
            if waiting.record.offset < head.record.offset:
                heads[waiting.record.tp] = waiting
        chosen = min(heads.values(), key=lambda head: head.deaths)
        self._waiting.remove(chosen)
        if not chosen.turn.done():
            chosen.turn.set_result(None)
        self._taken = True
