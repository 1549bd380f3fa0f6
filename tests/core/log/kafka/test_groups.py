"""What a consumer group on Kafka does to its members, and they to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.protocol.group import LeaveGroupRequest

from core.database.database import SqliteDatabase
from core.errors import BusyError, OwnershipLostError
from core.events import DeadLetter, ItemsSegmented
from core.log.kafka.asking import Queries
from core.log.kafka.log import KafkaEventLog
from core.log.kafka.options import Credentials, KafkaOptions
from core.log.port import Message, Record, Subscription, TopicPartition, TopicSpec
from core.state.sqlite import SqliteStateStore
from tests.contracts.reading import Ears, after, join, numbers, publish, read
from tests.core.log.kafka.clients import BATCHES, PATIENT, opened, options
from tests.core.runtime.stages import (
    BOUNDS,
    Recorder,
    caught_up,
    create_topics,
    extracted,
    jitter,
    running,
    said,
    until,
)
from tests.core.runtime.stages import publish as publish_events
from tests.servers.kafka import kafka_bootstrap

LOOKS = [TopicSpec("looks", 4), TopicSpec("hats", 4)]
FOUR = frozenset(TopicPartition("looks", n) for n in range(4))


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    store = SqliteStateStore(SqliteDatabase(tmp_path / "engine.db"))
    yield store
    await store.close()


@pytest.fixture
def ours() -> KafkaOptions:
    return options(kafka_bootstrap())


async def keep_fetching(member: Subscription) -> None:
    while True:
        await member.fetch(10, 0.1)


async def test_members_come_and_go_and_no_event_is_done_twice(
    tmp_path: Path, state: SqliteStateStore, ours: KafkaOptions
) -> None:
    events = [extracted(media, time) for media in range(200) for time in range(4)]
    first, second = Recorder(jitter(1)), Recorder(jitter(2))

    async def send(log: KafkaEventLog) -> None:
        for start in range(0, len(events), 8):
            await publish_events(log, events[start : start + 8])
            await asyncio.sleep(0.02)

    async with opened(ours) as log, opened(ours) as other:
        await create_topics(log, partitions=4)
        async with running(first, log, state, tmp_path / "1", BATCHES, PATIENT):
            sending = asyncio.create_task(send(log))
            await until(lambda: len(first.handled) > 50)
            async with running(second, other, state, tmp_path / "2", BATCHES, PATIENT):
                await until(lambda: len(second.handled) > 50)
            left = len(first.handled)
            await until(lambda: len(first.handled) > left)
            await sending
            await until(lambda: caught_up(log, first))
        answers = await said(log, ItemsSegmented.topic)
        dead = await said(log, DeadLetter.topic)

    handled = [event_id for stage in (first, second) for _, event_id in stage.handled]
    assert sorted(handled) == sorted(event.id for event in events)
    assert len({event.id for event in answers}) == len(answers) == len(events)
    assert dead == []


async def test_a_leaving_owner_drains_longer_than_its_session_and_still_commits(
    ours: KafkaOptions,
) -> None:
    ours = replace(ours, session_timeout_s=1.5)
    found: list[Record] = []

    class Drains(Ears):
        async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
            await asyncio.sleep(2 * ours.session_timeout_s)
            await log.publish([Message("hats", "k", b"drained")], first.fence)
            await first.commit(after([record for record in found if record.tp in partitions]))
            found.clear()

    async with opened(ours) as log, opened(ours) as other:
        await log.create_topics(LOOKS)
        await publish(log, "looks", 20)
        first = await log.subscribe("g", ["looks"], Drains())
        found += await read(first, 20)
        done = after(found)

        second = await other.subscribe("g", ["looks"], Ears())
        fetching = asyncio.create_task(keep_fetching(first))
        async with asyncio.timeout(30):
            while not second.assignment:
                assert await second.fetch(10, 0.5) == []

        assert await log.committed("g") == done
        assert sum((await log.end_offsets(["hats"])).values()) == 1
        assert await second.fetch(10, 0.5) == []
        assert first.assignment | second.assignment == FOUR
        fetching.cancel()


async def test_a_revocation_waits_for_the_next_fetch(ours: KafkaOptions) -> None:
    ears = Ears()
    async with opened(ours) as log, opened(ours) as other:
        await log.create_topics(LOOKS)
        first = await log.subscribe("g", ["looks"], ears)
        await read_until_assigned(first)
        second = await other.subscribe("g", ["looks"], Ears())
        # Longer than it takes to hear of the rebalance: nothing is said between two fetches.
        await second.fetch(1, 3)
        before = list(ears.told)

        await asyncio.gather(first.fetch(1, 3), read_until_assigned(second))

        assert before == [("assigned", FOUR)]
        assert ears.told[1] == ("revoked", FOUR)


async def read_until_assigned(member: Subscription) -> None:
    async with asyncio.timeout(30):
        while not member.assignment:
            await member.fetch(1, 0.1)


async def test_a_slow_handler_keeps_its_partitions(
    tmp_path: Path, state: SqliteStateStore, ours: KafkaOptions
) -> None:
    ours = replace(ours, max_poll_interval_s=1.0)
    assigned: list[frozenset[TopicPartition]] = []

    class Slow(Recorder):
        async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
            assigned.append(partitions)

    stage = Slow(lambda event, context: asyncio.sleep(4 * ours.max_poll_interval_s))
    full = replace(BOUNDS, max_in_flight=2)
    async with opened(ours) as log:
        await create_topics(log)
        await publish_events(log, [extracted(media) for media in range(2)])
        async with running(stage, log, state, tmp_path, full, PATIENT):
            await until(lambda: caught_up(log, stage))

    assert len(assigned) == 1
    assert len(stage.handled) == 2


async def test_who_stops_fetching_loses_its_partitions(ours: KafkaOptions) -> None:
    async with opened(replace(ours, max_poll_interval_s=1.0)) as log, opened(ours) as other:
        await log.create_topics(LOOKS)
        silent = await join(log, "g", ["looks"])
        second = await other.subscribe("g", ["looks"], Ears())

        async with asyncio.timeout(30):
            while second.assignment != FOUR:
                await second.fetch(1, 0.1)

        with pytest.raises(OwnershipLostError):
            await silent.commit({TopicPartition("looks", 0): 1})
        with pytest.raises(OwnershipLostError):
            await log.publish([Message("hats", "k", b"1")], silent.fence)


async def throw_out(which: KafkaOptions, group: str) -> None:
    """Ends the group's memberships behind their members' backs."""
    asking, name = Queries(which, Credentials(which)), which.outer(group)

    async def question(clients: object) -> None:
        admin = clients.admin  # type: ignore[attr-defined]
        (answer,) = await admin.describe_consumer_groups([name])
        for member in answer.groups[0][5]:
            coordinator = await admin.find_coordinator(name)
            await admin._send_request(LeaveGroupRequest(name, member[0]), coordinator)

    await asking.ask(question)
    await asking.close()


async def test_who_was_thrown_out_commits_nothing_and_comes_back(ours: KafkaOptions) -> None:
    ears = Ears()
    async with opened(ours) as log:
        await log.create_topics(LOOKS)
        await publish(log, "looks", 20)
        member = await log.subscribe("g", ["looks"], ears)
        found = await read(member, 20)
        stale = member.fence
        await throw_out(ours, "g")

        with pytest.raises(OwnershipLostError):
            await member.commit(after(found))
        with pytest.raises(OwnershipLostError):
            await log.publish([Message("hats", "k", b"1")], stale)

        assert await log.committed("g") == {}
        assert sorted(numbers(await read(member, 20))) == list(range(20))
        assert ears.told == [("assigned", FOUR), ("revoked", FOUR), ("assigned", FOUR)]
        await member.commit(after(found))
        await log.publish([Message("hats", "k", b"1")], member.fence)


async def test_a_restart_under_the_same_instance_moves_no_partitions(ours: KafkaOptions) -> None:
    ears = Ears()
    async with opened(ours) as log, AsyncExitStack() as stack:
        await log.create_topics(LOOKS)
        named = await stack.enter_async_context(opened(replace(ours, instance="pod-1")))
        first = await named.subscribe("g", ["looks"], Ears())
        other = await log.subscribe("g", ["looks"], ears)
        async with asyncio.timeout(30):
            while not (first.assignment and other.assignment):
                await asyncio.gather(first.fetch(1, 0.05), other.fetch(1, 0.05))
        had, told = first.assignment, list(ears.told)

        await named.close()
        again = await stack.enter_async_context(opened(replace(ours, instance="pod-1")))
        back = await again.subscribe("g", ["looks"], Ears())
        await read_until_assigned(back)
        await other.fetch(1, 2)

        assert back.assignment == had
        assert ears.told == told
        await again.publish([Message("hats", "k", b"1")], back.fence)


async def test_a_fetch_that_is_cancelled_loses_nothing(ours: KafkaOptions) -> None:
    source = random.Random(4)
    async with opened(ours) as log:
        await log.create_topics(LOOKS)
        member = await log.subscribe("g", ["looks"], Ears())
        await publish(log, "looks", 300)
        found: list[Record] = []

        async with asyncio.timeout(60):
            while len(found) < 300:
                fetch = asyncio.create_task(member.fetch(7, 1.0))
                await asyncio.sleep(source.random() * 0.002)
                fetch.cancel()
                outcome = (await asyncio.gather(fetch, return_exceptions=True))[0]
                found += [] if isinstance(outcome, BaseException) else outcome

        assert sorted(numbers(found)) == list(range(300))


async def test_what_is_paused_waits_while_others_are_read(ours: KafkaOptions) -> None:
    paused, read_on = TopicPartition("looks", 0), TopicPartition("looks", 1)
    async with opened(ours) as log:
        await log.create_topics(LOOKS)
        member = await join(log, "g", ["looks"])
        await publish(log, "looks", 200, keys=50)
        ends = await log.end_offsets(["looks"])
        await read(member, 1, limit=1)  # the rest is prefetched

        member.pause([paused])
        loud = await read(member, sum(ends.values()) - ends[paused] - 1)
        silent = await member.fetch(100, 0.3)
        member.resume([paused])
        rest = await read(member, ends[paused] - 1)

        assert read_on in {record.tp for record in loud}
        assert silent == []
        assert {record.tp for record in rest} == {paused}


async def test_a_busy_group_names_its_members(ours: KafkaOptions) -> None:
    async with opened(ours) as log:
        await log.create_topics(LOOKS)
        await join(log, "g", ["looks"])

        with pytest.raises(BusyError, match="tests"):
            await log.set_offsets("g", {TopicPartition("looks", 0): 0})
