"""How the contract tests read: patiently, and without minding what is delivered again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.log.port import EventLog, Message, Record, Subscription, TopicPartition

PATIENCE_S = 30.0


class Ears:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, frozenset[TopicPartition]]] = []

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        self.told.append(("assigned", partitions))

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self.told.append(("revoked", partitions))


async def join(log: EventLog, group: str, topics: Sequence[str]) -> Subscription:
    """A member that has its partitions; the topics are still empty."""
    subscription = await log.subscribe(group, topics, Ears())
    async with asyncio.timeout(PATIENCE_S):
        while not subscription.assignment:
            assert not await subscription.fetch(1, 0.05)
    return subscription


async def read(subscription: Subscription, count: int, limit: int = 100) -> list[Record]:
    """The first ``count`` records in the order they came first; repeats are left out."""
    found: dict[tuple[TopicPartition, int], Record] = {}
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            for record in await subscription.fetch(limit, 0.2):
                found.setdefault((record.tp, record.offset), record)
    return list(found.values())


def after(records: Sequence[Record]) -> dict[TopicPartition, int]:
    """The offsets that say that all of these are done."""
    offsets: dict[TopicPartition, int] = {}
    for record in records:
        offsets[record.tp] = max(offsets.get(record.tp, 0), record.offset + 1)
    return offsets


async def publish(log: EventLog, topic: str, count: int, keys: int = 7) -> list[Message]:
    """``count`` numbered messages with a few keys, one call each ten."""
    messages = [Message(topic, f"key-{n % keys}", str(n).encode()) for n in range(count)]
    for start in range(0, count, 10):
        await log.publish(messages[start : start + 10])
    return messages


def numbers(records: Sequence[Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]
