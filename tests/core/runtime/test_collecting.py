"""What failed is let go at once: nothing of it waits for the collector, which looks seldom."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path

import pytest

from core.children.frames import Bounds
from core.children.launch import Program
from core.children.parent import Child
from core.database.database import SqliteDatabase
from core.database.transaction import Transaction
from core.errors import FormatError, OutageError, TaggingError
from core.log.port import Fence, Message
from core.runtime.batcher import Batcher
from core.runtime.publisher import Publisher
from core.runtime.supervised import supervised
from tests.memory_log import CALM, MemoryEventLog


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def held(work: Awaitable[object]) -> TaggingError | None:
    """The error that it ends with, if anybody still holds it when that has been handled."""
    failed = await _failure(work)
    await asyncio.sleep(0)  # the loop holds what it just woke us with
    return failed()


async def _failure(work: Awaitable[object]) -> weakref.ref[TaggingError]:
    try:
        await work
    except TaggingError as error:
        return weakref.ref(error)
    raise AssertionError("it did not fail")


async def test_an_input_that_failed_on_the_device() -> None:
    def infer(batch: Sequence[int]) -> list[int]:
        raise FormatError(f"of no use: {batch}")

    async with supervised() as tasks:
        batcher: Batcher[int, int] = Batcher("test", infer, size=4, wait_s=0)
        tasks.start("device", batcher.work())

        assert await held(batcher.run(1)) is None
    await batcher.close()


async def test_messages_that_could_not_be_published() -> None:
    class Away(MemoryEventLog):
        async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
            raise OutageError("away")

    publisher = Publisher(Away(chaos=CALM), lambda: None)

    assert await held(publisher.publish([Message("t", "key", b"")])) is None


async def test_a_write_that_was_refused(tmp_path: Path) -> None:
    def refuse(_: Transaction) -> None:
        raise FormatError("no")

    database = SqliteDatabase(tmp_path / "engine.db")
    database.retain()

    assert await held(database.write(refuse)) is None

    database.release()


async def test_a_question_that_a_child_answered_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[3])])
    bounds = Bounds(1 << 20, 1 << 20)
    child = await Child.start(
        Program(name="the rogue", service="tests.core.children.rogue", bounds=bounds)
    )

    assert await held(child.ask("refuse", {}, read=lambda answer: answer.value)) is None

    await child.close()
