"""A stop ends every wait: nobody waits for a dependency, or for another try, any more.

Waits are an hour long here, so a wait that a stop does not end is a test that does not end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.errors import OutageError, TransientError
from core.events import DeadLetter
from core.log.sqlite.log import SqliteEventLog
from core.runtime.retry import RetryPolicy
from core.runtime.stage import Publish
from tests.core.runtime.faults import ActingLog, ActingStateStore, failing
from tests.core.runtime.stages import (
    BOUNDS,
    QUICK,
    Recorder,
    caught_up,
    create_topics,
    extracted,
    publish,
    running,
    said,
    until,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

PATIENT = RetryPolicy(base_s=7200.0, cap_s=7200.0)
IMPATIENT = replace(BOUNDS, grace_s=3600.0, drain_s=3600.0)


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log)
    return log


@pytest.fixture(autouse=True)
async def in_time() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


async def test_a_stop_ends_the_wait_for_a_store(tmp_path: Path, log: MemoryEventLog) -> None:
    def away(event: object, context: object) -> None:
        raise OutageError("the store is away")

    stage = Recorder(away)
    await publish(log, [extracted(n) for n in range(20)])
    async with running(stage, log, MemoryStateStore(), tmp_path, IMPATIENT, PATIENT) as runner:
        await until(lambda: runner.gate.closed)

    assert runner.failure is None
    assert sum((await log.committed("segment")).values()) == 0
    assert await said(log, DeadLetter.topic) == []


async def test_a_stop_ends_the_wait_for_the_log(tmp_path: Path, log: MemoryEventLog) -> None:
    async with running(Recorder(), log, MemoryStateStore(), tmp_path, IMPATIENT, PATIENT) as runner:
        await until(lambda: runner.joined)
        log.broker.away = True
        await until(lambda: runner.gate.closed)

    assert runner.failure is None


async def test_a_stop_ends_the_wait_for_what_a_stage_opens(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    class Opening(Recorder):
        async def open(self, publish: Publish) -> None:
            raise OutageError("the collection is away")

    async with running(Opening(), log, MemoryStateStore(), tmp_path, IMPATIENT, PATIENT) as runner:
        await until(lambda: runner.gate.closed)

    assert runner.failure is None


async def test_a_stop_ends_the_wait_for_another_try_and_the_event_stays(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    def not_yet(event: object, context: object) -> None:
        raise TransientError("not yet")

    stage = Recorder(not_yet)
    await publish(log, [extracted(1)])
    async with running(stage, log, MemoryStateStore(), tmp_path, IMPATIENT, PATIENT):
        await until(lambda: stage.attempts)

    assert stage.attempts == [1]
    assert not await caught_up(log, stage)
    assert await said(log, DeadLetter.topic) == []


async def test_a_stop_ends_the_wait_for_a_commit(tmp_path: Path, log: MemoryEventLog) -> None:
    stage = Recorder()
    away = ActingLog(log, commit=failing(OutageError("the broker is away")))
    await publish(log, [extracted(1)])
    async with running(stage, away, MemoryStateStore(), tmp_path, IMPATIENT, PATIENT) as runner:
        await until(lambda: runner.gate.closed)

    assert runner.failure is None
    assert not await caught_up(log, stage)


async def test_a_stop_ends_a_rebalance_that_waits_for_slow_events(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    cancelled: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    stage = Recorder(lambda event, context: endless())
    patient = replace(BOUNDS, grace_s=0.01, drain_s=3600.0)
    await publish(log, [extracted(1)])
    async with running(stage, log, MemoryStateStore(), tmp_path, patient) as runner:
        await until(lambda: stage.attempts)
        partitions = frozenset(await log.end_offsets(["frames.extracted"]))
        giving_up = asyncio.create_task(runner.revoked(partitions))
        await asyncio.sleep(0)
        runner.stop()
        await giving_up

    assert cancelled


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_stop_while_partitions_are_taken_keeps_what_a_crash_left(
    kind: str, tmp_path: Path, log: MemoryEventLog
) -> None:
    asking, answer = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        asking.set()
        await answer.wait()

    chosen = log if kind == "memory" else SqliteEventLog(SqliteDatabase(tmp_path / "engine.db"))
    await create_topics(chosen)
    await publish(chosen, [extracted(n) for n in range(6)])
    marks = {
        f"running/segment/{tp.topic}/{tp.partition}": b""
        for tp in await chosen.end_offsets(["frames.extracted"])
    }
    state = ActingStateStore(dict(marks), slowly)
    stage = Recorder()
    async with running(stage, chosen, state, tmp_path, BOUNDS, QUICK) as runner:
        await asking.wait()
        runner.stop()
        asyncio.get_running_loop().call_later(0.05, answer.set)

    assert {key: value for key, value in state.values.items() if key in marks} == marks
    await chosen.close()
