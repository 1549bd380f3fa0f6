"""Batches: by size or deadline, one device thread, and a poisonous input that fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from core.errors import StageStopError
from core.runtime.batcher import Batcher
from core.runtime.supervised import supervised


class PanicException(BaseException):
    """As a Rust library raises it: no Exception."""


@asynccontextmanager
async def working(batcher: Batcher[int, int]) -> AsyncIterator[Batcher[int, int]]:
    async with supervised() as tasks:
        tasks.start("device", batcher.work())
        yield batcher
    await batcher.close()


async def test_inputs_that_wait_while_the_device_works_share_the_next_batch() -> None:
    sizes: list[int] = []
    hold = threading.Event()

    def infer(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        hold.wait(10)
        return [n * 2 for n in batch]

    async with working(Batcher("test", infer, size=4, wait_s=0)) as batcher:
        first = asyncio.create_task(batcher.run(0))
        await asyncio.to_thread(_until_started, sizes)
        others = [asyncio.create_task(batcher.run(n)) for n in range(1, 8)]
        await asyncio.sleep(0)
        hold.set()

        assert await asyncio.gather(first, *others) == [n * 2 for n in range(8)]
        assert sizes == [1, 4, 3]


def _until_started(sizes: list[int]) -> None:
    wait = threading.Event()
    while not sizes:
        wait.wait(0.001)


async def test_an_idle_device_waits_for_its_batch_to_fill() -> None:
    sizes: list[int] = []

    def infer(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        return list(batch)

    async with working(Batcher("test", infer, size=3, wait_s=30)) as batcher:
        await asyncio.gather(*(batcher.run(n) for n in range(3)))

        assert sizes == [3]


async def test_a_poisonous_input_fails_alone() -> None:
    def infer(batch: Sequence[int]) -> list[int]:
        if 5 in batch:
            raise ValueError("five")
        return list(batch)

    async with working(Batcher("test", infer, size=8, wait_s=0.05)) as batcher:
        outcomes = await asyncio.gather(*(batcher.run(n) for n in range(8)), return_exceptions=True)

        assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, ValueError)] == [5]
        assert [n for n in outcomes if not isinstance(n, BaseException)] == [0, 1, 2, 3, 4, 6, 7]


async def test_a_batch_that_does_not_fit_is_run_in_parts() -> None:
    def infer(batch: Sequence[int]) -> list[int]:
        if len(batch) > 2:
            raise MemoryError
        return list(batch)

    async with working(Batcher("test", infer, size=8, wait_s=0.05)) as batcher:
        assert await asyncio.gather(*(batcher.run(n) for n in range(8))) == list(range(8))


async def test_too_few_results_are_an_error_and_not_a_mix_up() -> None:
    async with working(
        Batcher("test", lambda batch: [1] * (len(batch) + 1), size=2, wait_s=0)
    ) as batcher:
        with pytest.raises(RuntimeError, match="2 results for 1 inputs"):
            await batcher.run(1)


async def test_a_cancelled_caller_does_not_stop_its_neighbours() -> None:
    async with working(Batcher("test", lambda batch: list(batch), size=2, wait_s=0.02)) as batcher:
        leaving, staying = asyncio.create_task(batcher.run(1)), asyncio.create_task(batcher.run(2))
        await asyncio.sleep(0)
        leaving.cancel()

        assert await staying == 2


@pytest.mark.parametrize("error", [PanicException("rust"), StopIteration()])
async def test_an_input_that_panics_fails_alone_and_as_an_ordinary_error(
    error: BaseException,
) -> None:
    def infer(batch: Sequence[int]) -> list[int]:
        if 5 in batch:
            raise error
        return list(batch)

    async with working(Batcher("test", infer, size=8, wait_s=0.05)) as batcher:
        outcomes = await asyncio.gather(*(batcher.run(n) for n in range(8)), return_exceptions=True)

        assert isinstance(outcomes[5], RuntimeError)
        assert type(error).__name__ in str(outcomes[5])
        assert [n for n in outcomes if not isinstance(n, BaseException)] == [0, 1, 2, 3, 4, 6, 7]
        assert await batcher.run(8) == 8


async def test_whoever_waits_when_the_work_ends_or_asks_later_learns_that_it_has() -> None:
    running, release = threading.Event(), threading.Event()

    def infer(batch: Sequence[int]) -> list[int]:
        running.set()
        release.wait(10)
        return list(batch)

    batcher = Batcher("test", infer, size=1, wait_s=0)
    work = asyncio.create_task(batcher.work())
    waiting = [asyncio.create_task(batcher.run(n)) for n in range(3)]
    await asyncio.to_thread(running.wait, 10)
    work.cancel()

    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, StageStopError)
    with pytest.raises(StageStopError):
        await batcher.run(4)
    release.set()
    await batcher.close()


async def test_closing_waits_for_the_device_and_keeps_nobody_else_waiting() -> None:
    running, release = threading.Event(), threading.Event()

    def job() -> None:
        running.set()
        assert release.wait(10), "the event loop stood still"

    batcher: Batcher[int, int] = Batcher("test", list, size=1, wait_s=0)
    preparing = asyncio.create_task(batcher.prepare(job))
    await asyncio.to_thread(running.wait, 10)
    asyncio.get_running_loop().call_later(0.01, release.set)
    await batcher.close()

    await preparing


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Batcher("test", lambda batch: list(batch), size=0, wait_s=0)
