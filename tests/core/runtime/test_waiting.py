"""Waits that end when the end is asked for."""

from __future__ import annotations

import asyncio

import pytest

from core.runtime.waiting import pause, unless, when


async def test_a_pause_ends_when_the_end_is_asked_for() -> None:
    end = asyncio.Event()
    resting = asyncio.create_task(pause(3600, end))
    await asyncio.sleep(0)

    end.set()

    await resting


async def test_a_pause_ends_by_itself() -> None:
    await pause(0.001, asyncio.Event())


async def test_work_that_is_done_first_is_what_counts() -> None:
    async def work() -> int:
        return 7

    assert await unless(asyncio.Event(), work()) == 7


async def test_work_is_cancelled_when_the_end_is_asked_for_and_its_end_waited_for() -> None:
    end, ended = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 7

    waiting = asyncio.create_task(unless(end, work()))
    await asyncio.sleep(0)
    end.set()

    assert await waiting is None
    assert ended.is_set()


async def test_what_goes_wrong_is_raised_also_on_the_way_out() -> None:
    end = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("torn")

    waiting = asyncio.create_task(unless(end, work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    end.set()

    with pytest.raises(OSError, match="torn"):
        await waiting


async def test_something_is_done_once_an_event_is_set() -> None:
    event, done = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(when(event, done.set))
    await asyncio.sleep(0)
    assert not done.is_set()

    event.set()
    await waiting

    assert done.is_set()
