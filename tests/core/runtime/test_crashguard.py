"""After an unclean end suspects run alone, those that died least first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest

from core.errors import OutageError
from core.log.port import Record, TopicPartition
from core.runtime.crashguard import CrashGuard
from tests.memory_state import MemoryStateStore

T = TypeVar("T")

Place = tuple[int, int]
"""Partition and offset."""


def _record(place: Place) -> Record:
    partition, offset = place
    return Record(TopicPartition("t", partition), offset, 0, None, b"", {})


async def _insisting(call: Callable[[], Awaitable[T]], /) -> T:
    while True:
        try:
            return await call()
        except OutageError:
            await asyncio.sleep(0.005)


async def _after_a_crash(deaths: dict[Place, int]) -> tuple[CrashGuard, MemoryStateStore]:
    """Offsets below 4 are suspects, in each of three partitions."""
    state = MemoryStateStore(
        {f"attempts/g/t/{p}/{offset}": str(n).encode() for (p, offset), n in deaths.items()}
    )
    guard = CrashGuard("g", state, _insisting)
    guard.suspect({TopicPartition("t", n): 4 for n in range(3)})
    return guard, state


async def _order(guard: CrashGuard, places: Iterable[Place]) -> list[Place]:
    order: list[Place] = []
    running = 0

    async def handle(place: Place) -> None:
        nonlocal running
        async with guard.watch(_record(place)):
            running += 1
            await asyncio.sleep(0)
            assert running == 1
            order.append(place)
            running -= 1

    await asyncio.gather(*map(handle, places))
    return order


async def test_what_died_least_goes_first_and_new_events_last() -> None:
    guard, _ = await _after_a_crash({(0, 2): 3, (1, 2): 1})

    async with guard.watch(_record((0, 0))):
        others = asyncio.create_task(_order(guard, [(0, 9), (0, 2), (1, 2), (2, 2)]))
        await asyncio.sleep(0.01)

    assert await others == [(2, 2), (1, 2), (0, 2), (0, 9)]


async def test_a_partition_goes_in_order_so_that_what_is_done_can_be_committed() -> None:
    guard, _ = await _after_a_crash({(0, 1): 2})

    order = await _order(guard, [(0, 2), (0, 1), (1, 1), (1, 2)])

    assert order == [(1, 1), (1, 2), (0, 1), (0, 2)]


async def test_an_event_that_was_done_has_no_deaths_any_more() -> None:
    guard, state = await _after_a_crash({(0, 0): 3})

    async with guard.watch(_record((0, 0))) as deaths:
        assert deaths == 3
        assert state.values["attempts/g/t/0/0"] == b"4"

    assert "attempts/g/t/0/0" not in state.values


async def test_an_outage_of_the_store_is_no_attempt_of_the_event() -> None:
    guard, state = await _after_a_crash({})

    async with guard.watch(_record((0, 0))) as deaths:
        assert state.values["attempts/g/t/0/0"] == b"1"
        state.away = True
        asyncio.get_running_loop().call_later(0.02, setattr, state, "away", False)

    assert deaths == 0
    assert "attempts/g/t/0/0" not in state.values


async def test_who_cancels_does_not_wait_for_the_store() -> None:
    guard, state = await _after_a_crash({})
    begun = asyncio.Event()

    async def handle() -> None:
        async with guard.watch(_record((0, 0))):
            begun.set()
            await asyncio.sleep(3600)

    handling = asyncio.create_task(handle())
    await begun.wait()
    state.away = True
    handling.cancel()

    with pytest.raises(OutageError):
        await handling


async def test_one_that_is_given_up_while_it_waits_keeps_nobody_waiting() -> None:
    guard, _ = await _after_a_crash({})

    async with AsyncExitStack() as first:
        await first.enter_async_context(guard.watch(_record((0, 0))))
        second = asyncio.create_task(_order(guard, [(0, 1)]))
        third = asyncio.create_task(_order(guard, [(0, 2)]))
        await asyncio.sleep(0.01)
        second.cancel()

    assert await third == [(0, 2)]
    assert second.cancelled()


async def test_one_that_is_given_up_just_as_its_turn_comes_passes_it_on() -> None:
    guard, _ = await _after_a_crash({})

    async with AsyncExitStack() as first:
        await first.enter_async_context(guard.watch(_record((0, 0))))
        second = asyncio.create_task(_order(guard, [(0, 1)]))
        third = asyncio.create_task(_order(guard, [(0, 2)]))
        await asyncio.sleep(0.01)
    second.cancel()

    assert await third == [(0, 2)]


async def test_a_partition_that_was_not_given_up_is_known_to_whoever_gets_it() -> None:
    state = MemoryStateStore()
    left, kept = TopicPartition("t", 0), TopicPartition("t", 1)
    dying = CrashGuard("g", state)
    await dying.mark({left, kept})

    await dying.leave({left})

    heir = CrashGuard("g", state)
    assert await heir.unclean({left, kept, TopicPartition("u", 1)}) == {kept}
    assert await CrashGuard("other", state).unclean({kept}) == set()


async def test_a_partition_that_goes_with_its_suspects_is_known_to_whoever_gets_it() -> None:
    state = MemoryStateStore()
    suspected, cleared = TopicPartition("t", 0), TopicPartition("t", 1)
    guard = CrashGuard("g", state)
    await guard.mark({suspected, cleared})
    guard.suspect({suspected: 4, cleared: 4})

    guard.cleared(suspected, 3)
    guard.cleared(cleared, 4)
    await guard.leave({suspected, cleared})

    assert await CrashGuard("g", state).unclean({suspected, cleared}) == {suspected}


async def test_suspects_of_a_partition_that_goes_make_nobody_wait() -> None:
    guard, _ = await _after_a_crash({})

    await guard.leave({TopicPartition("t", n) for n in range(3)})

    assert not guard.cautious
