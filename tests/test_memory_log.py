"""The in-memory log is nasty in the ways it claims, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from core.errors import OutageError, OwnershipLostError
from core.log.port import Message, Record, TopicPartition, TopicSpec
from tests.contracts.reading import Ears, after, join, numbers, publish
from tests.memory_broker import Chaos
from tests.memory_log import CALM, MemoryEventLog, MemorySubscription

TOPICS = [TopicSpec("looks", partitions=4), TopicSpec("hats", partitions=4)]


async def consume(log: MemoryEventLog, count: int, members: int, commits: int) -> list[Record]:
    """Members that commit every so many records, until all were seen."""
    found: list[Record] = []

    async def member() -> None:
        subscription = await log.subscribe("g", ["looks"], Ears())
        held: list[Record] = []
        while len({(r.tp, r.offset) for r in found}) < count:
            records = await subscription.fetch(10, 0.05)
            found.extend(records)
            held += records
            if len(held) >= commits:
                with contextlib.suppress(OwnershipLostError):
                    await subscription.commit(after(held))
                held = []

    async with asyncio.timeout(60):
        await asyncio.gather(*(member() for _ in range(members)))
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_several_members_see_everything_in_spite_of_rebalances(seed: int) -> None:
    log = MemoryEventLog(seed, Chaos(rebalance=0.1))
    await log.create_topics(TOPICS)
    await publish(log, "looks", 200)

    found = await consume(log, 200, members=3, commits=20)

    assert set(numbers(found)) == set(range(200))
    assert len(found) > 200  # some came again
    await log.close()


async def test_a_calm_log_repeats_nothing() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(TOPICS)
    await publish(log, "looks", 100)

    found = await consume(log, 100, members=1, commits=10)

    assert sorted(numbers(found)) == list(range(100))


async def test_a_rebalance_on_command_delivers_again_what_was_not_committed() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(TOPICS)
    ears = Ears()
    subscription = await log.subscribe("g", ["looks"], ears)
    await publish(log, "looks", 1)
    first = await subscription.fetch(10, 1)

    log.rebalance("g")

    assert await subscription.fetch(10, 1) == first
    assert [verb for verb, _ in ears.told] == ["assigned", "revoked", "assigned"]


async def test_a_member_that_does_not_come_is_expelled_and_refused() -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0, rebalance_timeout_s=0.05))
    await log.create_topics(TOPICS)
    stuck = await join(log, "g", ["looks"])
    fence = stuck.fence

    other = await log.subscribe("g", ["looks"], Ears())
    async with asyncio.timeout(30):
        while len(other.assignment) < 4:
            await other.fetch(1, 0.02)

    with pytest.raises(OwnershipLostError):
        await stuck.commit({TopicPartition("looks", 0): 1})
    with pytest.raises(OwnershipLostError):
        await log.publish([Message("hats", "k", b"1")], fence)


async def test_joined_topics_meet_at_one_member() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(TOPICS)
    members = [await log.subscribe("g", ["looks", "hats"], Ears()) for _ in range(2)]

    async with asyncio.timeout(30):
        while not all(member.assignment for member in members):
            await asyncio.gather(*(member.fetch(1, 0.02) for member in members))

    for member in members:
        looks = {tp.partition for tp in member.assignment if tp.topic == "looks"}
        assert looks == {tp.partition for tp in member.assignment if tp.topic == "hats"}
        assert len(looks) == 2


async def test_a_crashed_members_work_goes_to_the_others() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(TOPICS)
    await publish(log, "looks", 20)
    crashing = await log.subscribe("g", ["looks"], Ears())
    assert isinstance(crashing, MemorySubscription)
    await crashing.fetch(10, 1)

    crashing.crash()

    found = await consume(log, 20, members=1, commits=5)
    assert set(numbers(found)) == set(range(20))
    with pytest.raises(OwnershipLostError):
        await crashing.commit({TopicPartition("looks", 0): 1})


async def test_messages_may_be_appended_twice() -> None:
    log = MemoryEventLog(seed=1, chaos=Chaos(rebalance=0, twice=0.5, delay_s=0))
    await log.create_topics(TOPICS)

    await publish(log, "looks", 40)

    records = [r async for r in log.tail(["looks"], "earliest", follow=False)]
    assert 40 < len(records) < 80
    assert set(numbers(records)) == set(range(40))


async def test_a_broker_that_is_away_is_an_outage() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(TOPICS)
    log.broker.away = True

    with pytest.raises(OutageError):
        await log.publish([Message("looks", "k", b"1")])
    log.broker.away = False

    await log.publish([Message("looks", "k", b"1")])


async def test_one_seed_makes_the_same_choices() -> None:
    async def run() -> list[int]:
        log = MemoryEventLog(seed=3, chaos=Chaos(rebalance=0.2, delay_s=0))
        await log.create_topics(TOPICS)
        await publish(log, "looks", 50)
        return numbers(await consume(log, 50, members=1, commits=7))

    assert await run() == await run()
