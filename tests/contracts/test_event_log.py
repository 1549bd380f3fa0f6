"""What every event log promises about publishing, groups and ownership."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.errors import BusyError, OwnershipLostError, SettingsError
from core.log.partitioner import partition_of
from core.log.port import EventLog, Message, Record, TopicPartition, TopicSpec
from tests.contracts.adapters import LogAdapter
from tests.contracts.reading import Ears, after, join, numbers, publish, read

Open = Callable[[], Awaitable[EventLog]]
LOOKS = TopicSpec("looks", partitions=4)
HATS = TopicSpec("hats", partitions=4)


@pytest.fixture(autouse=True)
async def topics(log: EventLog) -> None:
    await log.create_topics([LOOKS, HATS])


async def test_a_topic_that_exists_keeps_its_partitions(log: EventLog) -> None:
    await log.create_topics([TopicSpec("looks", partitions=9), TopicSpec("shoes", partitions=2)])

    partitions = {name: spec.partitions for name, spec in (await log.topics()).items()}

    assert partitions == {"looks": 4, "hats": 4, "shoes": 2}


async def test_a_record_is_what_was_published(log: EventLog) -> None:
    headers = {"ce_id": "1", "content-type": "application/json", "naïve": "ø 🧵 \n"}
    sent = [
        Message("looks", "k", b"\x00\xff", headers),
        Message("looks", "k", b""),
        Message("looks", "k", None),
        Message("looks", "", b"an empty key is a key"),
        Message("looks", "schlüssel", b"1"),
        Message("looks", None, b"no key"),
    ]

    await log.publish(sent)
    found = await read(await log.subscribe("g", ["looks"], Ears()), len(sent))

    expected = {(m.key, m.value, tuple(m.headers.items())) for m in sent}
    assert {(r.key, r.value, tuple(r.headers.items())) for r in found} == expected


async def test_a_partition_is_read_in_the_order_it_was_published(log: EventLog) -> None:
    await publish(log, "looks", 200)

    found = await read(await log.subscribe("g", ["looks"], Ears()), 200, limit=17)

    assert sorted(numbers(found)) == list(range(200))
    for partition in range(4):
        own = [record for record in found if record.partition == partition]
        assert numbers(own) == sorted(numbers(own))
        assert [record.offset for record in own] == list(range(len(own)))
        assert [r.timestamp for r in own] == sorted(r.timestamp for r in own)


async def test_a_key_finds_the_partition_that_kafka_gives_it(log: EventLog) -> None:
    await publish(log, "looks", 50, keys=50)

    found = await read(await log.subscribe("g", ["looks"], Ears()), 50)

    assert {r.key: r.partition for r in found} == {
        f"key-{n}": partition_of(f"key-{n}", 4) for n in range(50)
    }


async def test_messages_without_key_spread_over_partitions(log: EventLog) -> None:
    for n in range(60):
        await log.publish([Message("looks", None, str(n).encode())])

    found = await read(await log.subscribe("g", ["looks"], Ears()), 60)

    assert len({record.partition for record in found}) > 1


async def test_publishing_to_an_unknown_topic_writes_nothing(log: EventLog) -> None:
    with pytest.raises(SettingsError, match="missing"):
        await log.publish([Message("looks", "k", b"1"), Message("missing", "k", b"2")])

    assert sum((await log.end_offsets(["looks"])).values()) == 0


async def test_many_publish_at_once(log: EventLog) -> None:
    async def one(n: int) -> None:
        await log.publish([Message("looks", f"key-{n}", str(n).encode())])

    await asyncio.gather(*(one(n) for n in range(100)))

    found = await read(await log.subscribe("g", ["looks"], Ears()), 100)
    assert sorted(numbers(found)) == list(range(100))


async def test_fetch_returns_no_more_than_its_limit(log: EventLog) -> None:
    await publish(log, "looks", 50)
    subscription = await log.subscribe("g", ["looks"], Ears())

    sizes = [len(await subscription.fetch(3, 0.2)) for _ in range(20)]

    assert 1 <= max(sizes) <= 3


async def test_fetch_returns_nothing_when_its_time_is_over(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])

    assert await subscription.fetch(10, 0.05) == []


async def test_a_waiting_fetch_returns_once_something_is_published(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])
    waiting = asyncio.create_task(subscription.fetch(10, 30))
    await asyncio.sleep(0.05)

    await log.publish([Message("looks", "k", b"7")])

    assert numbers(await waiting) == [7]


async def test_a_waiting_fetch_hears_another_client(open_log: Open, log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])
    waiting = asyncio.create_task(subscription.fetch(10, 30))
    await asyncio.sleep(0.05)

    await (await open_log()).publish([Message("looks", "k", b"7")])

    assert numbers(await waiting) == [7]


async def test_each_record_comes_once_per_assignment(log: EventLog) -> None:
    await publish(log, "looks", 60)
    ears = Ears()
    subscription = await log.subscribe("g", ["looks"], ears)
    seen: list[tuple[int, TopicPartition, int]] = []

    for _ in range(40):
        records = await subscription.fetch(5, 0.02)
        seen += [(len(ears.told), record.tp, record.offset) for record in records]

    assert len(seen) == len(set(seen)) > 0


async def test_a_new_group_starts_at_the_earliest_record(log: EventLog) -> None:
    await publish(log, "looks", 20)
    await read(await log.subscribe("first", ["looks"], Ears()), 20)

    found = await read(await log.subscribe("second", ["looks"], Ears()), 20)

    assert sorted(numbers(found)) == list(range(20))


async def test_one_group_reads_several_topics(log: EventLog) -> None:
    await publish(log, "looks", 20)
    await publish(log, "hats", 20)

    found = await read(await log.subscribe("g", ["looks", "hats"], Ears()), 40)

    assert {record.topic for record in found} == {"looks", "hats"}


async def test_a_group_resumes_after_what_it_committed(open_log: Open, log: EventLog) -> None:
    await publish(log, "looks", 40)
    subscription = await log.subscribe("g", ["looks"], Ears())
    done = await read(subscription, 10, limit=1)
    await subscription.commit(after(done))
    await subscription.close()
    await log.close()

    found = await read(await (await open_log()).subscribe("g", ["looks"], Ears()), 30)

    assert sorted(numbers(done) + numbers(found)) == list(range(40))


async def test_what_was_not_committed_is_read_again(open_log: Open, log: EventLog) -> None:
    await publish(log, "looks", 20)
    await read(await log.subscribe("g", ["looks"], Ears()), 20)
    await log.close()

    found = await read(await (await open_log()).subscribe("g", ["looks"], Ears()), 20)

    assert sorted(numbers(found)) == list(range(20))


async def test_the_listener_is_told_before_the_first_and_after_the_last(log: EventLog) -> None:
    ears = Ears()
    subscription = await log.subscribe("g", ["looks"], ears)
    await subscription.fetch(10, 0.05)

    await subscription.close()

    everything = frozenset(TopicPartition("looks", n) for n in range(4))
    assert ears.told[0] == ("assigned", everything)
    assert ears.told[-1] == ("revoked", everything)
    assert not subscription.assignment


async def test_revocation_is_the_last_chance_to_publish_and_commit(log: EventLog) -> None:
    class Drains(Ears):
        async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
            await log.publish([Message("hats", "k", b"1")], subscription.fence)
            await subscription.commit(after(found))

    await publish(log, "looks", 10)
    subscription = await log.subscribe("g", ["looks"], Drains())
    found: list[Record] = []
    while len({(r.tp, r.offset) for r in found}) < 10:
        found += await subscription.fetch(10, 0.2)

    await subscription.close()

    assert sum((await log.lag("g", ["looks"])).values()) == 0
    assert sum((await log.end_offsets(["hats"])).values()) >= 1


async def test_who_left_publishes_and_commits_no_more(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])
    fence = subscription.fence
    await subscription.close()

    with pytest.raises(OwnershipLostError):
        await log.publish([Message("hats", "k", b"1")], fence)
    with pytest.raises(OwnershipLostError):
        await subscription.commit({TopicPartition("looks", 0): 1})

    assert sum((await log.end_offsets(["hats"])).values()) == 0
    assert not any((await log.committed("g")).values())


async def test_a_newer_owner_makes_older_fences_stale(open_log: Open, log: EventLog) -> None:
    older = await join(log, "g", ["looks"])
    stale = older.fence
    await older.close()
    newer = await join(await open_log(), "g", ["looks"])

    with pytest.raises(OwnershipLostError):
        await log.publish([Message("hats", "k", b"1")], stale)
    await log.publish([Message("hats", "k", b"2")], newer.fence)

    found = await read(await log.subscribe("other", ["hats"], Ears()), 1)
    assert numbers(found) == [2]


async def test_a_partition_of_others_cannot_be_committed(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])

    with pytest.raises(OwnershipLostError):
        await subscription.commit({TopicPartition("hats", 0): 1})


async def test_a_paused_partition_gives_nothing_until_resumed(log: EventLog) -> None:
    quiet = {TopicPartition("looks", partition_of("key-0", 4))}

    class Pauses(Ears):
        async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
            subscription.pause(quiet)

    subscription = await log.subscribe("g", ["looks"], Pauses())
    await publish(log, "looks", 40)

    loud = [record.tp for _ in range(20) for record in await subscription.fetch(10, 0.02)]
    resumed, quiet = quiet, set()
    subscription.resume(resumed)
    found = await read(subscription, 1)

    assert loud
    assert not resumed.intersection(loud)
    assert resumed.issubset(record.tp for record in found)


async def test_resuming_wakes_a_waiting_fetch(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])
    everything = subscription.assignment
    subscription.pause(everything)
    await publish(log, "looks", 1)
    waiting = asyncio.create_task(subscription.fetch(10, 30))
    await asyncio.sleep(0.05)

    subscription.resume(everything)

    assert numbers(await waiting) == [0]


async def test_a_second_member_is_refused_or_shares(
    log_adapter: LogAdapter, open_log: Open, log: EventLog
) -> None:
    first = await join(log, "g", ["looks"])
    other = await open_log()

    if not log_adapter.shares:
        with pytest.raises(BusyError, match="process"):
            await other.subscribe("g", ["looks"], Ears())
        await first.close()
        assert len((await join(other, "g", ["looks"])).assignment) == 4
        return

    second = await other.subscribe("g", ["looks"], Ears())
    async with asyncio.timeout(30):
        while not (first.assignment and second.assignment):
            await asyncio.gather(first.fetch(1, 0.05), second.fetch(1, 0.05))
    assert first.assignment | second.assignment == {TopicPartition("looks", n) for n in range(4)}
    assert not first.assignment & second.assignment


async def test_a_closed_subscription_fetches_nothing(log: EventLog) -> None:
    subscription = await join(log, "g", ["looks"])
    waiting = asyncio.create_task(subscription.fetch(10, 30))
    await asyncio.sleep(0.05)

    await subscription.close()

    async with asyncio.timeout(10):
        assert await waiting == []
    assert await subscription.fetch(10, 0.01) == []


async def test_a_fetch_that_is_cancelled_does_not_cut_the_listener_short(log: EventLog) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(Ears):
        async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
            asked.set()
            await answer.wait()
            await super().assigned(partitions)

    ears = Slow()
    subscription = await log.subscribe("g", ["looks"], ears)
    fetching = asyncio.create_task(subscription.fetch(1, 30))
    await asyncio.wait_for(asked.wait(), 30)

    fetching.cancel()
    closing = asyncio.create_task(subscription.close())
    await asyncio.sleep(0)
    answer.set()
    await closing

    assert [told for told, _ in ears.told] == ["assigned", "revoked"]
