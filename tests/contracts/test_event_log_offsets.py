"""What every event log promises about offsets, tailing, and cleaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from core.errors import BusyError, SettingsError
from core.log.port import EventLog, Message, Record, TopicPartition, TopicSpec
from tests.contracts.adapters import LOGS
from tests.contracts.reading import Ears, after, join, numbers, publish, read

Open = Callable[[], Awaitable[EventLog]]
ONLY = TopicPartition("line", 0)
CLEANING = pytest.mark.parametrize(
    "log_adapter", [a for a in LOGS if a.cleans], ids=lambda a: a.name, indirect=True
)
"""For logs that clean when they are told to; a broker does so by itself, at times of its own."""


@pytest.fixture(autouse=True)
async def topics(log: EventLog) -> None:
    await log.create_topics([TopicSpec("looks", partitions=4), TopicSpec("line", partitions=1)])


async def drain(tail: AsyncIterator[Record], count: int | None = None) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(30):
        async for record in tail:
            found.append(record)
            if len(found) == count:
                break
    return found


async def test_a_group_knows_what_it_committed(log: EventLog) -> None:
    await publish(log, "looks", 20)
    subscription = await log.subscribe("g", ["looks"], Ears())
    found = await read(subscription, 20)
    before = await log.committed("g")

    await subscription.commit(after(found))

    assert before == {}
    assert await log.committed("g") == after(found)
    assert await log.groups() == ["g"]


async def test_a_group_that_nobody_knows_committed_nothing(log: EventLog) -> None:
    assert await log.committed("nobody") == {}
    assert await log.groups() == []


async def test_offsets_can_be_set_while_nobody_consumes(log: EventLog) -> None:
    await publish(log, "line", 20)
    await log.set_offsets("g", {ONLY: 15})

    found = await read(await log.subscribe("g", ["line"], Ears()), 5)

    assert numbers(found) == [15, 16, 17, 18, 19]


async def test_a_group_can_be_moved_back(log: EventLog) -> None:
    await publish(log, "line", 10)
    subscription = await log.subscribe("g", ["line"], Ears())
    await subscription.commit(after(await read(subscription, 10)))
    await subscription.close()

    await log.set_offsets("g", {ONLY: 3})

    found = await read(await log.subscribe("g", ["line"], Ears()), 7)
    assert numbers(found) == list(range(3, 10))


async def test_offsets_of_a_consumed_group_stay(open_log: Open, log: EventLog) -> None:
    await join(log, "g", ["line"])

    with pytest.raises(BusyError):
        await (await open_log()).set_offsets("g", {ONLY: 3})

    assert await log.committed("g") == {}


async def test_begin_and_end_of_partitions(log: EventLog) -> None:
    await publish(log, "line", 12)

    assert await log.begin_offsets(["line"]) == {ONLY: 0}
    assert await log.end_offsets(["line"]) == {ONLY: 12}
    assert sum((await log.end_offsets(["looks", "line"])).values()) == 12


async def test_offsets_of_an_unknown_topic_are_a_settings_error(log: EventLog) -> None:
    with pytest.raises(SettingsError, match="missing"):
        await log.end_offsets(["missing"])


async def test_lag_is_what_a_group_has_before_it(log: EventLog) -> None:
    await publish(log, "line", 10)
    new = await log.lag("g", ["line"])
    subscription = await log.subscribe("g", ["line"], Ears())
    await read(subscription, 10)

    await subscription.commit({ONLY: 4})

    assert new == {ONLY: 10}
    assert await log.lag("g", ["line"]) == {ONLY: 6}


async def test_seeking_by_time_finds_the_first_record_at_or_after_it(log: EventLog) -> None:
    for n in range(6):
        await log.publish([Message("line", "k", str(n).encode())])
        await asyncio.sleep(0.003)
    records = await drain(log.tail(["line"], "earliest", follow=False))

    for record in records:
        first = min(r.offset for r in records if r.timestamp >= record.timestamp)
        assert await log.offsets_at("line", record.timestamp) == {ONLY: first}
    assert await log.offsets_at("line", 0) == {ONLY: 0}
    assert await log.offsets_at("line", records[-1].timestamp + 1) == {ONLY: 6}


async def test_a_tail_ends_at_the_present_end(log: EventLog) -> None:
    await publish(log, "looks", 30)

    found = await drain(log.tail(["looks"], "earliest", follow=False))

    assert sorted(numbers(found)) == list(range(30))
    assert await log.groups() == []


async def test_a_tail_starts_where_it_is_told(log: EventLog) -> None:
    await publish(log, "line", 10)

    found = await drain(log.tail(["line"], {ONLY: 7}, follow=False))

    assert numbers(found) == [7, 8, 9]
    assert await drain(log.tail(["line"], "latest", follow=False)) == []


async def test_a_following_tail_sees_what_comes(open_log: Open, log: EventLog) -> None:
    await publish(log, "line", 3)
    following = asyncio.create_task(drain(log.tail(["line"], "earliest", follow=True), 5))
    await asyncio.sleep(0.05)

    await log.publish([Message("line", "k", b"3")])
    await (await open_log()).publish([Message("line", "k", b"4")])

    assert numbers(await following) == [0, 1, 2, 3, 4]


async def test_a_tail_from_the_latest_skips_the_past(log: EventLog) -> None:
    await publish(log, "line", 3)
    following = asyncio.create_task(drain(log.tail(["line"], "latest", follow=True), 1))
    await asyncio.sleep(0.2)

    async with asyncio.timeout(30):
        while not following.done():
            await log.publish([Message("line", "k", b"99")])
            await asyncio.sleep(0.05)

    assert numbers(await following) == [99]


async def test_closing_the_log_ends_a_following_tail(log: EventLog) -> None:
    following = asyncio.create_task(drain(log.tail(["line"], "earliest", follow=True)))
    await asyncio.sleep(0.05)

    await log.close()

    assert await following == []


@CLEANING
async def test_retention_removes_what_is_old(log: EventLog) -> None:
    await log.create_topics([TopicSpec("short", partitions=1, retention_s=0.05)])
    short = TopicPartition("short", 0)
    await publish(log, "short", 5)
    await asyncio.sleep(0.1)

    await log.maintain()
    await log.publish([Message("short", "k", b"5")])

    assert await log.begin_offsets(["short"]) == {short: 5}
    assert await log.end_offsets(["short"]) == {short: 6}
    assert await log.lag("new", ["short"]) == {short: 1}
    found = await drain(log.tail(["short"], "earliest", follow=False))
    assert [(record.offset, record.value) for record in found] == [(5, b"5")]


@CLEANING
async def test_retention_waits_for_a_group_that_never_committed(log: EventLog) -> None:
    await log.create_topics([TopicSpec("short", partitions=1, retention_s=0.05)])
    await (await join(log, "g", ["short"])).close()
    await publish(log, "short", 10)
    await asyncio.sleep(0.1)

    await log.maintain()

    found = await read(await log.subscribe("g", ["short"], Ears()), 10)
    assert numbers(found) == list(range(10))


@CLEANING
async def test_retention_follows_the_slowest_group(log: EventLog) -> None:
    await log.create_topics([TopicSpec("short", partitions=1, retention_s=0.05)])
    short = TopicPartition("short", 0)
    await publish(log, "short", 10)
    await log.set_offsets("fast", {short: 9})
    await log.set_offsets("slow", {short: 4})
    await asyncio.sleep(0.1)

    await log.maintain()

    found = await drain(log.tail(["short"], "earliest", follow=False))
    assert numbers(found) == list(range(4, 10))
    assert await log.begin_offsets(["short"]) == {short: 4}


@CLEANING
async def test_compaction_keeps_the_newest_of_each_key(log: EventLog) -> None:
    await log.create_topics([TopicSpec("tagged", partitions=2, compacted=True)])
    await publish(log, "tagged", 50, keys=5)
    ends = await log.end_offsets(["tagged"])

    await log.maintain()

    found = await drain(log.tail(["tagged"], "earliest", follow=False))
    assert {r.key: int(r.value or b"-1") for r in found} == {f"key-{n}": 45 + n for n in range(5)}
    assert len(found) == 5
    assert await log.end_offsets(["tagged"]) == ends


@CLEANING
async def test_a_tombstone_removes_what_its_key_said(log: EventLog) -> None:
    await log.create_topics([TopicSpec("products", partitions=1, compacted=True)])
    await log.publish([Message("products", "a", b"1"), Message("products", "b", b"2")])
    await log.publish([Message("products", "a", None)])

    await log.maintain()

    found = await drain(log.tail(["products"], "earliest", follow=False))
    assert [(record.key, record.value) for record in found] == [("b", b"2"), ("a", None)]


@CLEANING
async def test_compaction_waits_for_every_group(log: EventLog) -> None:
    await log.create_topics([TopicSpec("tagged", partitions=1, compacted=True)])
    tagged = TopicPartition("tagged", 0)
    await publish(log, "tagged", 10, keys=1)
    await log.set_offsets("slow", {tagged: 6})

    await log.maintain()

    found = await drain(log.tail(["tagged"], "earliest", follow=False))
    assert numbers(found) == [6, 7, 8, 9]
