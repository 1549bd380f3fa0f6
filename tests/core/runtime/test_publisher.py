"""Publishing: in the order of the calls, in few writes, and nobody waits for an answer in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from core.errors import OutageError, OwnershipLostError, StageStopError
from core.log.port import Fence, Message
from core.runtime.publisher import Publisher
from tests.memory_log import CALM, MemoryEventLog

FENCE = Fence("g", 3)


class PanicException(BaseException):
    """As a Rust library raises it: no Exception."""


class SlowLog(MemoryEventLog):
    """Writes when it is told to, or fails as it is told to."""

    def __init__(self) -> None:
        super().__init__(chaos=CALM)
        self.writes: list[tuple[list[str], Fence | None]] = []
        self.go_on = asyncio.Event()
        self.error: BaseException | None = None

    async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
        self.writes.append(([message.key or "" for message in messages], fence))
        await self.go_on.wait()
        if self.error is not None:
            raise self.error


def message(key: str) -> Message:
    return Message("t", key, b"")


async def published(publisher: Publisher, *keys: str) -> list[asyncio.Task[None]]:
    """A call for each key; the first write is on its way."""
    calls = [asyncio.create_task(publisher.publish([message(key)])) for key in keys]
    for _ in range(3):
        await asyncio.sleep(0)
    return calls


async def test_while_one_write_is_on_its_way_the_next_gathers_in_order() -> None:
    log = SlowLog()
    publisher = Publisher(log, lambda: FENCE)
    first = await published(publisher, "a")
    others = await published(publisher, "b", "c", "d")
    assert not first[0].done()

    log.go_on.set()
    await asyncio.gather(*first, *others)

    assert log.writes == [(["a"], FENCE), (["b", "c", "d"], FENCE)]


async def test_no_messages_are_no_write() -> None:
    log = SlowLog()

    await Publisher(log, lambda: FENCE).publish([])

    assert log.writes == []


@pytest.mark.parametrize("error", [OutageError("away"), OwnershipLostError("gone")])
async def test_every_caller_of_a_write_hears_its_error_and_the_next_write_is_another(
    error: Exception,
) -> None:
    log = SlowLog()
    log.error = error
    publisher = Publisher(log, lambda: FENCE)
    first = await published(publisher, "a", "b")
    log.go_on.set()

    assert await asyncio.gather(*first, return_exceptions=True) == [error, error]
    log.error = None
    await publisher.publish([message("c")])


async def test_a_write_that_breaks_in_no_usual_way_leaves_nobody_waiting() -> None:
    log = SlowLog()
    log.error = PanicException("rust")
    publisher = Publisher(log, lambda: FENCE)
    first = await published(publisher, "a")
    gathered = await published(publisher, "b", "c")
    log.go_on.set()

    for outcome in await asyncio.gather(*first, *gathered, return_exceptions=True):
        assert isinstance(outcome, StageStopError)
        assert "rust" in str(outcome)
    log.error = None
    await publisher.publish([message("d")])


async def test_a_caller_that_goes_away_keeps_no_other_from_its_answer() -> None:
    log = SlowLog()
    publisher = Publisher(log, lambda: FENCE)
    leaving, staying = await published(publisher, "a", "b")

    leaving.cancel()
    log.go_on.set()

    await staying


async def test_flushed_returns_when_nothing_is_on_its_way() -> None:
    log = SlowLog()
    publisher = Publisher(log, lambda: FENCE)
    calls = await published(publisher, "a")
    flushing = asyncio.create_task(publisher.flushed())
    await asyncio.sleep(0)
    assert not flushing.done()

    log.go_on.set()
    await flushing

    assert calls[0].done()
