"""What a crash repeats is bounded, counted from what is committed; the guard watches all of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.envelope import Event
from core.errors import OutageError
from core.events import Data
from core.log.port import TopicPartition
from core.runtime.stage import Context
from tests.core.runtime.faults import ActingLog
from tests.core.runtime.stages import (
    BOUNDS,
    Recorder,
    caught_up,
    create_topics,
    extracted,
    jitter,
    media_id,
    publish,
    running,
    until,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

HERE = TopicPartition("frames.extracted", 0)
SPREAD = BOUNDS.max_spread
SHARE = SPREAD // 4
"""A partition is read on when there is room for so many."""


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log, partitions=1)
    await publish(log, [extracted(n) for n in range(400)])
    return log


async def test_no_event_is_begun_further_than_the_spread_from_what_is_committed(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    beyond: list[int] = []
    wait = jitter(1, 0.002)

    def behave(event: Event[Data], context: Context) -> object:
        beyond.append(context.offset - log.broker.group("segment").committed.get(HERE, 0))
        return wait(event, context)

    stage = Recorder(behave)
    async with running(stage, log, MemoryStateStore(), tmp_path):
        await until(lambda: caught_up(log, stage))

    assert max(beyond) < SPREAD


async def test_while_nothing_can_be_committed_no_more_than_the_spread_is_handled(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    committing, release = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        committing.set()
        await release.wait()

    stage = Recorder()
    async with running(stage, ActingLog(log, commit=held), MemoryStateStore(), tmp_path):
        await committing.wait()
        await until(lambda: len(stage.handled) > SPREAD - SHARE)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(stage.handled) <= SPREAD
        release.set()
        await until(lambda: caught_up(log, stage))


async def test_a_reached_spread_commits_at_once(tmp_path: Path, log: MemoryEventLog) -> None:
    stage = Recorder()
    seldom = replace(BOUNDS, commit_every_s=3600)
    async with running(stage, log, MemoryStateStore(), tmp_path, seldom):
        await until(lambda: len(stage.handled) == 400)


async def test_a_slow_event_holds_back_its_partition_and_no_other(tmp_path: Path) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log, partitions=2)
    await publish(log, [extracted(n) for n in range(400)])
    release = asyncio.Event()
    slow = extracted(0).subject

    def behave(event: Event[Data], context: Context) -> object:
        places.setdefault(context.tp, []).append(context.offset)
        return release.wait() if event.subject == slow else None

    places: dict[TopicPartition, list[int]] = {}
    stage = Recorder(behave)
    async with running(stage, log, MemoryStateStore(), tmp_path):
        ends = await log.end_offsets(["frames.extracted"])
        await until(lambda: any(len(places.get(tp, [])) == end for tp, end in ends.items()))
        held = next(tp for tp, end in ends.items() if len(places[tp]) < end)
        assert max(places[held]) < SPREAD
        release.set()
        await until(lambda: caught_up(log, stage))


async def test_the_guard_watches_all_that_may_have_been_under_way(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    values: dict[str, bytes] = {}
    begun: set[int] = set()

    def behave(event: Event[Data], context: Context) -> object:
        begun.add(context.offset)
        return asyncio.Event().wait() if event.subject == media_id(0) else None

    dying = Recorder(behave)
    hasty = replace(BOUNDS, grace_s=0.01)
    async with running(dying, log.another(), MemoryStateStore(values), tmp_path, hasty):
        await until(lambda: len(begun) > SPREAD - SHARE)
        left = dict(values)  # as a crash would leave it

    at_once: dict[int, int] = {}
    under_way = 0

    async def count(offset: int) -> None:
        nonlocal under_way
        under_way += 1
        at_once[offset] = under_way
        await asyncio.sleep(0)
        under_way -= 1

    heir = Recorder(lambda event, context: count(context.offset))
    async with running(heir, log, MemoryStateStore(left), tmp_path):
        await until(lambda: caught_up(log, heir))

    assert max(at_once[offset] for offset in begun) == 1


async def test_offsets_that_do_not_exist_keep_nobody_waiting(tmp_path: Path) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log, partitions=1)
    for number in range(60):
        await publish(log, [extracted(number)])
        log.broker.partitions[HERE].end += 17 * (number % 5)  # as a marker or a cleaning leaves it
    beyond: list[int] = []

    def behave(event: Event[Data], context: Context) -> None:
        beyond.append(context.offset - log.broker.group("segment").committed.get(HERE, 0))

    stage = Recorder(behave)
    async with running(stage, log, MemoryStateStore(), tmp_path):
        await until(lambda: len(stage.handled) == 60)

    assert max(beyond) < SPREAD


async def test_a_commit_that_is_away_pauses_the_stage_and_says_so(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    away = True

    async def commit() -> None:
        if away:
            raise OutageError("the broker is away")

    stage = Recorder()
    async with running(
        stage, ActingLog(log, commit=commit), MemoryStateStore(), tmp_path
    ) as runner:
        await until(lambda: runner.gate.reason == "the broker is away")
        away = False
        await until(lambda: caught_up(log, stage))
