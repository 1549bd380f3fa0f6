"""Dead letters: listed once an event, redriven to the stage that gave them up and to no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.envelope import Event, encode_structured
from core.errors import PermanentError
from core.events import Data, DeadLetter, ItemsSegmented
from core.log.sqlite.log import SqliteEventLog
from core.runtime.deadletters import Letter, letters, redrive
from core.runtime.stage import Context
from core.state.sqlite import SqliteStateStore
from tests.core.runtime.stages import (
    Recorder,
    caught_up,
    create_topics,
    extracted,
    media_id,
    publish,
    running,
    said,
    until,
)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[tuple[SqliteEventLog, SqliteStateStore]]:
    database = SqliteDatabase(tmp_path / "engine.db")
    log, state = SqliteEventLog(database), SqliteStateStore(database)
    await create_topics(log)
    yield log, state
    await state.close()
    await log.close()


def refuse(event: Event[Data], context: Context) -> None:
    if event.subject == media_id(1):
        raise PermanentError("one is broken")


async def test_a_letter_says_what_where_and_why(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    await fail(tmp_path, log, state)

    (letter,) = await letters(log, state)

    assert letter.data.stage == "segment"
    assert letter.data.reason == "one is broken"
    assert letter.data.origin_topic == "frames.extracted"
    assert letter.data.media_id == media_id(1)


async def test_an_event_in_structured_mode_is_given_up_as_well_as_any(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    event = extracted(1)
    async with running(Recorder(refuse), log, state, tmp_path):
        await log.publish([encode_structured(event)])
        await until(lambda: caught_up(log, Recorder()))
    (letter,) = await letters(log, state)
    mended = Recorder()

    await redrive(log, state, [letter])
    async with running(mended, log, state, tmp_path):
        await until(lambda: caught_up(log, mended))

    (said_of_it,) = await said(log, DeadLetter.topic)
    assert (said_of_it.subject, said_of_it.frame) == (event.subject, event.frame)
    assert letter.data.media_id == event.subject
    assert mended.handled == [(event.subject, event.id)]


async def test_an_event_given_up_twice_is_one_letter(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    await fail(tmp_path, log, state)
    await log.set_offsets("segment", await log.begin_offsets(["frames.extracted"]))
    await fail(tmp_path, log, state)

    assert len(await said(log, DeadLetter.topic)) == 3
    assert len(await letters(log, state)) == 1


async def test_a_redriven_event_is_handled_by_its_stage_and_leaves_the_list(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    await fail(tmp_path, log, state)
    (letter,) = await letters(log, state)

    assert await redrive(log, state, [letter]) == 1

    assert await letters(log, state) == []
    other = Recorder()
    other.name = "another"  # type: ignore[misc]
    mended = Recorder()
    async with running(mended, log, state, tmp_path), running(other, log, state, tmp_path):
        await until(lambda: caught_up(log, mended))
        await until(lambda: caught_up(log, other))
    assert media_id(1) in {event.subject for event in await said(log, ItemsSegmented.topic)}
    assert len(other.handled) == 2  # the two first events, not the redriven one


async def test_a_redriven_event_that_fails_again_is_listed_again(
    tmp_path: Path, stores: tuple[SqliteEventLog, SqliteStateStore]
) -> None:
    log, state = stores
    await fail(tmp_path, log, state)
    await redrive(log, state, await letters(log, state))

    async with running(Recorder(refuse), log, state, tmp_path):
        await until(lambda: _listed(log, state, 1))


async def _listed(log: SqliteEventLog, state: SqliteStateStore, count: int) -> bool:
    found: list[Letter] = await letters(log, state)
    return len(found) == count


async def fail(folder: Path, log: SqliteEventLog, state: SqliteStateStore) -> None:
    """Two events, of which one is given up."""
    stage = Recorder(refuse)
    async with running(stage, log, state, folder):
        await publish(log, [extracted(0), extracted(1)])
        await until(lambda: caught_up(log, stage))
