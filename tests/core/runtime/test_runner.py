"""The stage runner: at least once, in lanes, through rebalances, outages, poison and shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.envelope import Event, encode
from core.errors import OutageError, PermanentError, TransientError
from core.events import Data, DeadLetter, FrameExtracted, ItemsSegmented
from core.log.partitioner import partition_of
from core.log.port import Message, TopicPartition
from core.runtime.crashguard import CrashGuard
from core.runtime.stage import Context
from core.state.sqlite import SqliteStateStore
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
    said,
    until,
    uploaded,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    store = SqliteStateStore(SqliteDatabase(tmp_path / "engine.db"))
    yield store
    await store.close()


@pytest.fixture
async def log() -> AsyncIterator[MemoryEventLog]:
    log = MemoryEventLog(seed=1, chaos=Chaos(rebalance=0))
    await create_topics(log)
    yield log
    await log.close()


@pytest.mark.parametrize("seed", range(4))
async def test_every_event_is_answered_under_rebalances_and_repeats(
    seed: int, tmp_path: Path, state: SqliteStateStore
) -> None:
    log = MemoryEventLog(seed=seed, chaos=Chaos(rebalance=0.1, twice=0.1, delay_s=0.001))
    await create_topics(log)
    events = [extracted(media, frame) for media in range(12) for frame in range(5)]
    stages = [Recorder(jitter(seed)), Recorder(jitter(seed + 100)), Recorder(jitter(seed + 200))]

    async with (
        running(stages[0], log.another(), state, tmp_path / "0"),
        running(stages[1], log.another(), state, tmp_path / "1"),
        running(stages[2], log.another(), state, tmp_path / "2"),
    ):
        await publish(log, events)
        await until(lambda: caught_up(log, stages[0]))

    answers = {event.id for event in await said(log, ItemsSegmented.topic)}
    assert {event_id for stage in stages for _, event_id in stage.handled} == {
        event.id for event in events
    }
    assert len(answers) == len(events)
    assert await said(log, DeadLetter.topic) == []


async def test_events_of_one_lane_keep_their_order(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    stage = Recorder(jitter(5))
    stage.lane = "media"  # type: ignore[misc]
    events = [extracted(1, 0), *(replace(extracted(1, 0), id=f"e{n}") for n in range(20))]

    async with running(stage, log, state, tmp_path):
        await publish(log, events)
        await until(lambda: caught_up(log, stage))

    assert [event_id for _, event_id in stage.handled] == [event.id for event in events]


async def test_lanes_run_concurrently_inside_one_partition(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0))
    await create_topics(log, partitions=1)
    together = asyncio.Barrier(8)

    async def meet() -> None:
        await together.wait()

    stage = Recorder(lambda event, context: meet())
    async with running(stage, log, state, tmp_path):
        await publish(log, [extracted(n) for n in range(8)])
        await until(lambda: len(stage.handled) == 8)


async def test_a_slow_event_holds_back_the_commit_of_those_behind_it(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0))
    await create_topics(log, partitions=1)
    release = asyncio.Event()

    def behave(event: Event[Data], context: Context) -> object:
        return release.wait() if event.subject == media_id(2) else None

    stage = Recorder(behave)
    async with running(stage, log, state, tmp_path):
        await publish(log, [extracted(n) for n in range(6)])
        await until(lambda: len(stage.handled) == 5)
        await until(lambda: _sum_committed(log, 2))
        assert sum((await log.committed("segment")).values()) == 2
        release.set()
        await until(lambda: _sum_committed(log, 6))


async def _sum_committed(log: MemoryEventLog, count: int) -> bool:
    return sum((await log.committed("segment")).values()) == count


async def test_a_rebalance_while_a_stage_is_full_loses_no_event(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0))
    await create_topics(log, partitions=1)
    release = asyncio.Event()
    stage = Recorder(lambda event, context: release.wait())
    tight = replace(BOUNDS, max_in_flight=2, poll_s=0.01, drain_s=0.05)

    async with running(stage, log, state, tmp_path, tight) as runner:
        await publish(log, [extracted(n) for n in range(8)])
        await until(lambda: runner.in_flight == 2)
        log.rebalance("segment")
        await until(lambda: len(stage.attempts) > 2)
        release.set()
        await until(lambda: caught_up(log, stage))

    assert {event_id for _, event_id in stage.handled} == {extracted(n).id for n in range(8)}


async def test_in_flight_events_are_bounded(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    seen: list[int] = []
    stage = Recorder(jitter(3))
    async with running(stage, log, state, tmp_path) as runner:
        await publish(log, [extracted(n) for n in range(200)])
        while not await caught_up(log, stage):
            seen.append(runner.in_flight)
            await asyncio.sleep(0.001)

    assert 0 < max(seen) <= BOUNDS.max_in_flight


async def test_a_transient_error_is_tried_again_and_succeeds(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    def behave(event: Event[Data], context: Context) -> None:
        if context.attempt < 3:
            raise TransientError("not yet")

    stage = Recorder(behave)
    async with running(stage, log, state, tmp_path):
        await publish(log, [extracted(1)])
        await until(lambda: caught_up(log, stage))

    assert stage.attempts == [1, 2, 3]
    assert len(await said(log, ItemsSegmented.topic)) == 1
    assert await said(log, DeadLetter.topic) == []


@pytest.mark.parametrize(
    ("error", "attempts"), [(PermanentError("broken"), 1), (ValueError("broken"), 3)]
)
async def test_poison_is_dead_lettered_with_its_reason_and_stops_nothing_else(
    error: Exception, attempts: int, tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    def behave(event: Event[Data], context: Context) -> None:
        if event.subject == media_id(3):
            raise error

    stage = Recorder(behave)
    async with running(stage, log, state, tmp_path):
        await publish(log, [extracted(n) for n in range(6)])
        await until(lambda: caught_up(log, stage))

    letters = await said(log, DeadLetter.topic)
    assert [letter.of(DeadLetter).data.reason for letter in letters] == ["broken"]
    assert letters[0].of(DeadLetter).data.attempts == attempts
    assert letters[0].frame == extracted(3).frame
    assert len(await said(log, ItemsSegmented.topic)) == 5


async def test_an_outage_pauses_the_stage_and_costs_no_attempt(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    away = True
    calls = 0

    def behave(event: Event[Data], context: Context) -> None:
        nonlocal calls
        calls += 1
        if away:
            raise OutageError("store is away")

    stage = Recorder(behave)
    async with running(stage, log, state, tmp_path) as runner:
        await publish(log, [extracted(n) for n in range(10)])
        await until(lambda: calls > 30)
        assert runner.gate.closed
        assert runner.gate.reason == "store is away"
        away = False
        await until(lambda: caught_up(log, stage))

    assert set(stage.attempts) == {1}
    assert len(await said(log, ItemsSegmented.topic)) == 10
    assert await said(log, DeadLetter.topic) == []


async def test_an_undecodable_event_is_dead_lettered_byte_for_byte(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    stage = Recorder()
    broken = Message(FrameExtracted.topic, "k", b"{not json", encode(extracted(1)).headers)
    async with running(stage, log, state, tmp_path):
        await log.publish([broken])
        await until(lambda: caught_up(log, stage))

    records = [r async for r in log.tail([DeadLetter.topic], "earliest", follow=False)]
    assert [record.value for record in records] == [b"{not json"]
    assert (await said(log, DeadLetter.topic))[0].of(DeadLetter).data.error == "SchemaError"


async def test_a_newer_event_stops_the_stage_and_is_still_there_for_the_upgrade(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    stage = Recorder()
    message = encode(extracted(1))
    newer = replace(message, headers={**message.headers, "ce_type": "frames.extracted.v2"})
    await log.publish([newer])

    with pytest.raises(Exception, match="upgrade me"):
        async with running(stage, log, state, tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    assert not await caught_up(log, stage)
    assert await said(log, DeadLetter.topic) == []


async def test_an_event_for_another_stage_is_skipped(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    stage = Recorder()
    async with running(stage, log, state, tmp_path):
        await publish(log, [replace(extracted(1), target="other"), extracted(2)])
        await until(lambda: caught_up(log, stage))

    assert [subject for subject, _ in stage.handled] == [media_id(2)]


async def test_a_stop_lets_what_is_in_flight_end_and_commits_it(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    started = asyncio.Event()

    async def slow() -> None:
        started.set()
        await asyncio.sleep(0.2)

    stage = Recorder(lambda event, context: slow())
    async with running(stage, log, state, tmp_path):
        await publish(log, [extracted(1)])
        await started.wait()

    assert await caught_up(log, stage)
    assert len(await said(log, ItemsSegmented.topic)) == 1


async def test_a_handler_cancelled_by_the_end_of_the_grace_leaves_its_offset(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(3600)

    stage = Recorder(lambda event, context: endless())
    async with running(stage, log, state, tmp_path, replace(BOUNDS, grace_s=0.05)):
        await publish(log, [extracted(1)])
        await started.wait()

    assert not await caught_up(log, stage)
    assert await said(log, ItemsSegmented.topic) == []


async def test_giving_up_a_partition_waits_for_its_events_and_for_no_others(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0))
    await create_topics(log, partitions=2)
    events = [extracted(n) for n in range(8)]
    given_up = partition_of(events[0].subject, 2)
    kept = next(event for event in events if partition_of(event.subject, 2) != given_up)
    started: list[str] = []
    releases = {events[0].id: asyncio.Event(), kept.id: asyncio.Event()}

    async def wait(event: Event[Data]) -> None:
        started.append(event.id)
        await releases[event.id].wait()

    stage = Recorder(lambda event, context: wait(event))
    async with running(stage, log, state, tmp_path, replace(BOUNDS, concurrency=1)) as runner:
        await publish(log, [events[0]])
        await until(lambda: started == [events[0].id])
        await publish(log, [kept])
        await until(lambda: runner.in_flight == 2)
        partition = TopicPartition(FrameExtracted.topic, given_up)
        giving_up = asyncio.create_task(runner.revoked(frozenset({partition})))
        releases[events[0].id].set()
        await giving_up
        assert started == [events[0].id, kept.id]
        assert await log.committed("segment") == {partition: 1}
        releases[kept.id].set()
        await until(lambda: caught_up(log, stage))


async def test_an_event_that_kills_its_process_is_dead_lettered_and_its_neighbours_are_not(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    killer = extracted(3)
    neighbours = [extracted(n) for n in range(3)]
    await publish(log, [*neighbours, killer])
    await CrashGuard("segment", state).mark(await log.end_offsets([FrameExtracted.topic]))
    for record in [r async for r in log.tail([FrameExtracted.topic], "earliest", follow=False)]:
        if record.headers["ce_id"] == killer.id:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            await state.put([(f"attempts/segment/{place}", b"3")])

    stage = Recorder()
    async with running(stage, log, state, tmp_path):
        await until(lambda: caught_up(log, stage))

    assert len(stage.handled) == 3
    letters = await said(log, DeadLetter.topic)
    assert [letter.of(DeadLetter).data.error for letter in letters] == ["KilledProcessError"]


async def test_what_a_dead_run_left_open_runs_one_at_a_time(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    await publish(log, [extracted(n) for n in range(6)])
    await CrashGuard("segment", state).mark(await log.end_offsets([FrameExtracted.topic]))
    at_once = most = 0

    async def count() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1

    stage = Recorder(lambda event, context: count())
    async with running(stage, log, state, tmp_path):
        await until(lambda: caught_up(log, stage))

    assert most == 1
    assert await state.keys("attempts/") == []
    assert await state.keys("running/") == []


async def test_an_event_of_the_wrong_type_is_refused_with_words(
    tmp_path: Path, log: MemoryEventLog, state: SqliteStateStore
) -> None:
    stage = Recorder()
    message = replace(encode(uploaded(1)), topic=FrameExtracted.topic)
    async with running(stage, log, state, tmp_path):
        await log.publish([message])
        await until(lambda: caught_up(log, stage))

    letter = (await said(log, DeadLetter.topic))[0].of(DeadLetter).data
    assert "expected frames.extracted.v1" in letter.reason
