"""After an unclean end, suspects run alone, and those that died least go first."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from core.crashguard import CrashGuard
from core.log.port import Record, TopicPartition
from tests.memory_state import MemoryStateStore

_TOPIC = TopicPartition("t", 0)


def _record(offset: int) -> Record:
    return Record(*_TOPIC, offset, 0, None, b"", {})


async def _after_a_crash(deaths: dict[int, int], until: int) -> tuple[CrashGuard, MemoryStateStore]:
    state = MemoryStateStore({f"attempts/g/t/0/{n}": str(d).encode() for n, d in deaths.items()})
    await CrashGuard("g", state).open()
    guard = CrashGuard("g", state)
    await guard.open()
    guard.suspect({_TOPIC: until})
    return guard, state


async def _order(guard: CrashGuard, offsets: range) -> list[int]:
    order, running = [], 0

    async def handle(offset: int) -> None:
        nonlocal running
        async with guard.watch(_record(offset)):
            running += 1
            await asyncio.sleep(0)
            assert running == 1
            order.append(offset)
            running -= 1

    await asyncio.gather(*map(handle, offsets))
    return order


async def test_those_that_died_least_go_first_and_new_ones_last() -> None:
    guard, _ = await _after_a_crash({0: 3, 1: 1}, until=4)

    assert await _order(guard, range(6)) == [2, 3, 1, 0, 4, 5]


async def test_an_event_that_was_done_has_no_deaths_any_more() -> None:
    guard, state = await _after_a_crash({0: 3}, until=1)

    async with guard.watch(_record(0)) as deaths:
        assert deaths == 3
        assert state.values["attempts/g/t/0/0"] == b"4"

    assert "attempts/g/t/0/0" not in state.values


async def test_one_that_is_given_up_while_it_waits_keeps_nobody_waiting() -> None:
    guard, _ = await _after_a_crash({}, until=3)

    async with AsyncExitStack() as first:
        await first.enter_async_context(guard.watch(_record(0)))
        second = asyncio.create_task(_order(guard, range(1, 2)))
        third = asyncio.create_task(_order(guard, range(2, 3)))
        await asyncio.sleep(0.01)
        second.cancel()

    assert await third == [2]
    assert second.cancelled()


async def test_one_that_is_given_up_just_as_its_turn_comes_passes_it_on() -> None:
    guard, _ = await _after_a_crash({}, until=3)

    async with AsyncExitStack() as first:
        await first.enter_async_context(guard.watch(_record(0)))
        second = asyncio.create_task(_order(guard, range(1, 2)))
        third = asyncio.create_task(_order(guard, range(2, 3)))
        await asyncio.sleep(0.01)
    second.cancel()

    assert await third == [2]
