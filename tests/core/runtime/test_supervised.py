"""Tasks with a parent: whatever a child does, the block that started it hears of it."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from core.runtime.supervised import supervised


class PanicException(BaseException):
    """As a Rust library raises it: no Exception."""


async def fail(error: BaseException) -> None:
    raise error


async def for_ever(ended: list[str] | None = None) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        if ended is not None:
            ended.append("ended")


@pytest.mark.parametrize("error", [OSError("gone"), PanicException("rust")])
async def test_an_error_of_a_child_ends_the_block_by_itself_and_not_as_a_group(
    error: BaseException,
) -> None:
    with pytest.raises(type(error)) as raised:
        async with supervised() as tasks:
            tasks.start("loop", fail(error))
            await asyncio.Event().wait()

    assert raised.value is error
    assert error.__notes__ == ["in the task 'loop'"]


async def test_children_end_with_the_block_and_are_waited_for() -> None:
    ended: list[str] = []

    async with supervised() as tasks:
        tasks.start("loop", for_ever(ended))
        await asyncio.sleep(0)

    assert ended == ["ended"]


async def test_a_child_that_returns_ends_nothing() -> None:
    async with supervised() as tasks:
        done = tasks.start("short", asyncio.sleep(0))
        await asyncio.wait([done])

        assert done.done()


async def test_an_error_of_the_block_ends_the_children_and_is_raised() -> None:
    ended: list[str] = []

    with pytest.raises(OSError, match="the block's"):
        async with supervised() as tasks:
            tasks.start("loop", for_ever(ended))
            await asyncio.sleep(0)
            raise OSError("the block's")

    assert ended == ["ended"]


async def test_an_error_on_the_way_out_is_raised_too() -> None:
    async def end_badly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("while it was cancelled")

    with pytest.raises(OSError, match="while it was cancelled"):
        async with supervised() as tasks:
            tasks.start("loop", end_badly())
            await asyncio.sleep(0)


async def test_an_owner_that_is_told_ends_in_its_own_order_and_the_error_is_raised_then() -> None:
    told = asyncio.Event()
    order: list[str] = []

    with pytest.raises(OSError, match="first"):
        async with supervised(lambda _: told.set()) as tasks:
            tasks.start("fails", fail(OSError("first")))
            tasks.start("goes on", for_ever(order))
            await told.wait()
            order.append("the block's last act")

    assert order == ["the block's last act", "ended"]


async def test_what_went_wrong_first_is_raised_however_much_follows() -> None:
    told = asyncio.Event()

    with pytest.raises(OSError, match="first"):
        async with supervised(lambda _: told.set()) as tasks:
            tasks.start("fails", fail(OSError("first")))
            await told.wait()
            raise OSError("second")


async def test_who_is_cancelled_from_outside_takes_the_children_along() -> None:
    ended: list[str] = []

    async def block() -> None:
        async with supervised() as tasks:
            tasks.start("loop", for_ever(ended))
            await asyncio.Event().wait()

    running = asyncio.create_task(block())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["ended"]


async def test_a_child_whose_own_wait_was_cancelled_by_a_stranger_is_not_silent() -> None:
    waited_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        await waited_for

    with pytest.raises(RuntimeError, match="was cancelled"):
        async with supervised() as tasks:
            tasks.start("waits", wait())
            await asyncio.sleep(0)
            waited_for.cancel()
            await asyncio.Event().wait()


async def test_a_child_that_had_no_time_to_begin_leaves_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with supervised() as tasks:
            tasks.start("never begun", for_ever())
