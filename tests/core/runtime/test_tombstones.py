"""A tombstone is data: told to stages that ask for it, published by them, and never a dead letter
for being one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.envelope import Event
from core.errors import PermanentError
from core.events import Data, DeadLetter, FrameExtracted, Tombstone
from core.log.port import EventLog, Message, Record
from core.log.sqlite.log import SqliteEventLog
from core.runtime.deadletters import letters, redrive
from core.runtime.stage import Context, Output, Stage
from core.state.sqlite import SqliteStateStore
from tests.core.runtime.stages import (
    Recorder,
    caught_up,
    create_topics,
    extracted,
    publish,
    running,
    said,
    until,
)

GONE = Message("frames.extracted", "m/000000001", None, {})


class Forwarder(Stage):
    """Says of each key that is gone that its result is, too."""

    name = "segment"
    reads = (FrameExtracted,)
    tombstones = True

    def __init__(self, broken: bool = False) -> None:
        self.gone: list[str] = []
        self._broken = broken

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        if self._broken:
            raise PermanentError("it does not let go")
        gone = event.of(Tombstone).data
        self.gone.append(gone.of_key)
        return [Output(Tombstone(media_id="m", of_topic="media.tagged", of_key="m"))]


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[tuple[SqliteEventLog, SqliteStateStore]]:
    database = SqliteDatabase(tmp_path / "engine.db")
    log, state = SqliteEventLog(database), SqliteStateStore(database)
    await create_topics(log)
    yield log, state
    await state.close()
    await log.close()


async def records(log: EventLog, topic: str) -> list[Record]:
    return [record async for record in log.tail([topic], "earliest", follow=False)]


async def test_a_stage_that_asks_for_none_is_told_of_none_and_goes_on(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    stage = Recorder()

    async with running(stage, log, state, tmp_path):
        await log.publish([GONE])
        await publish(log, [extracted(1)])
        await until(lambda: caught_up(log, stage))

    assert [event_id for _, event_id in stage.handled] == [extracted(1).id]
    assert await records(log, DeadLetter.topic) == []


async def test_a_stage_that_asks_for_them_is_told_what_is_gone_and_publishes_one(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    stage = Forwarder()

    async with running(stage, log, state, tmp_path):
        await log.publish([GONE])
        await until(lambda: caught_up(log, stage))

    assert stage.gone == ["m/000000001"]
    (published,) = await records(log, "media.tagged")
    assert (published.key, published.value) == ("m", None)
    (event,) = await said(log, "media.tagged")
    assert event.data == Tombstone(media_id="m", of_topic="media.tagged", of_key="m")


async def test_one_that_was_given_up_is_redriven_as_what_it_was(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    broken, mended = Forwarder(broken=True), Forwarder()
    async with running(broken, log, state, tmp_path):
        await log.publish([GONE])
        await until(lambda: caught_up(log, broken))

    await redrive(log, state, await letters(log, state))
    async with running(mended, log, state, tmp_path):
        await until(lambda: caught_up(log, mended))

    assert mended.gone == ["m/000000001"]
