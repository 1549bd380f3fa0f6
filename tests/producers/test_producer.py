"""What all producers have in common, over a place in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager

import pytest

from core.errors import OutageError, StageStopError
from core.runtime.retry import RetryPolicy
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.options import WatchOptions
from producers.place import Notice, Page, Subscribed, Unsubscribed
from producers.producer import Producer
from tests.producers.engine import Engine, eventually

QUICK = RetryPolicy(base_s=0.01, cap_s=0.02)


class Shelf:
    """A place in memory, which tells what it is asked.

    Attributes:
        said: notices, or the error that ends them.
        away: why it cannot be listed.
        hangs: whether a listing never ends.
    """

    subscribes_in_s = 0.05

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.said: asyncio.Queue[Notice[str] | Exception] = asyncio.Queue()
        self.away: str | None = None
        self.hangs = False
        self.listings = 0
        self.closed = False

    async def notices(self) -> AsyncIterator[Notice[str]]:
        while True:
            notice = await self.said.get()
            if isinstance(notice, Exception):
                raise notice
            yield notice

    async def list(self, _: AbstractSet[str], /) -> AsyncIterator[Page[str]]:
        self.listings += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away is not None:
            raise OutageError(self.away)
        yield Page(dict.fromkeys(self.names, "1"))

    async def look(self, hints: Sequence[str], /) -> Page[str]:
        return Page({name: "1" for name in hints if name in self.names})

    async def close(self) -> None:
        self.closed = True


class Door:
    """Takes in what is offered, at once, or when it is let."""

    def __init__(self) -> None:
        self.hold = Hold(QUICK, producer="test", place="x:shelf")
        self.taken: set[str] = set()
        self.error: Exception | None = None
        self.let = asyncio.Event()
        self.let.set()
        self._waiting: set[str] = set()
        self._under_way: list[asyncio.Task[None]] = []

    @property
    def announced(self) -> int:
        return len(self.taken)

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    def offer(self, seen: Mapping[str, str], /) -> None:
        self._waiting |= seen.keys() - self.taken

    def forget(self, name: str, /) -> None:
        self._waiting.discard(name)

    def keep(self, present: AbstractSet[str], /) -> None:
        self._waiting &= present

    async def work(self, group: asyncio.TaskGroup, /) -> None:
        if self._waiting and not self._under_way:
            self._under_way.append(group.create_task(self._take_in(set(self._waiting))))

    def next_look(self) -> float | None:
        return time.monotonic() + 0.01 if self._waiting else None

    async def finish(self) -> None:
        self.let.set()
        await asyncio.gather(*self._under_way)

    async def _take_in(self, names: set[str]) -> None:
        await self.let.wait()
        if self.error is not None:
            raise self.error
        self.taken |= names
        self._waiting -= names
        self._under_way.clear()


@asynccontextmanager
async def producer(engine: Engine, shelf: Shelf, door: Door) -> AsyncIterator[Watched]:
    marks, wake = SeenMarks(engine.state, "test", "x:shelf"), asyncio.Event()
    made: Producer[str, str] = Producer(
        shelf,
        door,
        marks=marks,
        intake=engine.intake(),
        options=WatchOptions(rescan_s=3600.0, poll_s=3600.0),
        away=Hold(QUICK, producer="test", place="x:shelf"),
        wake=wake,
        clock=time.monotonic,
    )
    watched = Watched(made)
    yield watched
    watched.stop.set()
    await asyncio.gather(watched.running, return_exceptions=True)


class Watched:
    def __init__(self, made: Producer[str, str]) -> None:
        self.producer = made
        self.stop = asyncio.Event()
        self.running = asyncio.create_task(made.run(self.stop))


async def test_it_lists_again_after_each_subscription(engine: Engine) -> None:
    shelf, door = Shelf("a"), Door()
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: door.taken == {"a"})
        assert watched.producer.standing.state == "polling"
        before = shelf.listings

        shelf.names.add("b")
        shelf.said.put_nowait(Subscribed())
        await eventually(lambda: door.taken == {"a", "b"})

        assert watched.producer.standing.state == "watching"
        assert shelf.listings == before + 1


async def test_a_place_that_is_away_pauses_intake_and_resumes_it(engine: Engine) -> None:
    shelf, door = Shelf("a"), Door()
    shelf.away = "the shelf is away"
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: watched.producer.standing.state == "paused")
        assert watched.producer.standing.reason == "the shelf is away"

        shelf.away = None
        await eventually(lambda: door.taken == {"a"})
        await eventually(lambda: watched.producer.standing.state == "polling")


async def test_an_error_of_the_notices_ends_it_though_a_listing_hangs(engine: Engine) -> None:
    shelf, door = Shelf(), Door()
    shelf.hangs = True
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: shelf.listings == 1)

        shelf.said.put_nowait(ZeroDivisionError("a mistake in the listener"))

        with pytest.raises(ZeroDivisionError):
            await watched.running
        assert shelf.closed


async def test_an_error_of_a_batch_ends_it_though_a_listing_hangs(engine: Engine) -> None:
    shelf, door = Shelf("a"), Door()
    door.let.clear()
    door.error = ZeroDivisionError("a mistake in the batch")
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: shelf.listings == 1)
        shelf.hangs = True
        shelf.said.put_nowait(Unsubscribed("not now", refused=False))
        await eventually(lambda: shelf.listings == 2)

        door.let.set()

        with pytest.raises(ZeroDivisionError):
            await watched.running


async def test_a_listing_that_hangs_keeps_nobody_from_stopping(engine: Engine) -> None:
    shelf, door = Shelf(), Door()
    shelf.hangs = True
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: shelf.listings == 1)
        waiting = asyncio.create_task(watched.producer.drained())

        watched.stop.set()
        await watched.running

        with pytest.raises(StageStopError):
            await waiting


async def test_a_cancelled_producer_leaves_nothing_behind(engine: Engine) -> None:
    shelf, door = Shelf("a"), Door()
    door.let.clear()
    before = asyncio.all_tasks()
    async with producer(engine, shelf, door) as watched:
        await eventually(lambda: door.busy)

        watched.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watched.running

        assert shelf.closed
        assert asyncio.all_tasks() == before
