"""Workers: what begins, what is waited for, and what goes on when one is cancelled."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from core.runtime.workers import Workers
from tests.core.runtime.stages import until


class Desk:
    """Items are lane and number; one ends when it is released, or in order by cancelling."""

    def __init__(self, concurrency: int) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.workers: Workers[str] = Workers(concurrency, self._work)

    def add(self, *items: str) -> None:
        for item in items:
            self.workers.add(item[0], item)
        self.workers.start()

    async def __aenter__(self) -> Desk:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.workers.drop(lambda _: True)
        await self.workers.drain(lambda _: True, 0)

    async def _work(self, item: str) -> None:
        self.begun.append(item)
        try:
            await self.released[item].wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise


async def test_an_item_that_ends_lets_the_next_begin() -> None:
    async with Desk(concurrency=2) as desk:
        desk.add("a1", "a2", "b1", "c1")
        await until(lambda: desk.begun == ["a1", "b1"])

        desk.released["a1"].set()
        await until(lambda: desk.begun == ["a1", "b1", "c1"])
        desk.released["c1"].set()
        await until(lambda: desk.begun == ["a1", "b1", "c1", "a2"])

        assert desk.workers.in_flight == 2


async def test_draining_waits_for_what_is_wanted_and_for_nothing_else() -> None:
    async with Desk(concurrency=1) as desk:
        desk.add("a1", "b1")
        await until(lambda: desk.begun == ["a1"])

        draining = asyncio.create_task(desk.workers.drain(lambda item: item == "a1", 60))
        desk.released["a1"].set()
        await draining

        assert desk.begun == ["a1", "b1"]
        assert desk.workers.in_flight == 1


async def test_what_takes_too_long_is_cancelled_and_the_others_go_on() -> None:
    async with Desk(concurrency=1) as desk:
        desk.add("a1", "b1", "b2")
        await until(lambda: desk.begun == ["a1"])

        await desk.workers.drain(lambda item: item == "a1", 0)
        await until(lambda: desk.begun == ["a1", "b1"])

        assert desk.cancelled == ["a1"]
        assert desk.workers.in_flight == 2


async def test_what_has_not_begun_can_be_dropped() -> None:
    async with Desk(concurrency=1) as desk:
        desk.add("a1", "a2", "b1", "c1")
        await until(lambda: desk.begun == ["a1"])

        desk.workers.drop(lambda item: item[0] in "ab")
        desk.released["a1"].set()
        await until(lambda: desk.begun == ["a1", "c1"])

        assert desk.workers.in_flight == 1
