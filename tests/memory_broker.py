"""The inside of the in-memory event log: partitions, and groups that rebalance as Kafka's do."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from core.errors import OutageError, SettingsError
from core.log.partitioner import partition_of
from core.log.port import Message, Record, TopicPartition, TopicSpec


@dataclass(frozen=True, slots=True)
class Chaos:
    """How nasty the log is.

    Attributes:
        rebalance: probability that a fetch starts a rebalance of its group.
        twice: probability that a message is appended twice, as by a sender whose
            acknowledgement got lost.
        delay_s: longest time that a call waits before it does anything, in seconds.
        rebalance_timeout_s: a member that has not come by then is expelled, in seconds.
    """

    rebalance: float = 0.02
    twice: float = 0.0
    delay_s: float = 0.001
    rebalance_timeout_s: float = 5.0


class Partition:
    """Records in the order of their offsets; cleaning leaves holes."""

    def __init__(self, tp: TopicPartition) -> None:
        self.tp = tp
        self.begin = 0
        self.end = 0
        self.records: list[Record] = []

    def append(self, message: Message, timestamp: int) -> None:
        if self.records:
            timestamp = max(timestamp, self.records[-1].timestamp)
        headers = dict(message.headers)
        self.records.append(
            Record(self.tp, self.end, timestamp, message.key, message.value, headers)
        )
        self.end += 1

    def since(self, offset: int, most: int) -> list[Record]:
        start = bisect_left(self.records, offset, key=attrgetter("offset"))
        return self.records[start : start + most]

    def at(self, timestamp: int) -> int:
        start = bisect_left(self.records, timestamp, key=attrgetter("timestamp"))
        return self.records[start].offset if start < len(self.records) else self.end

    def clean(self, spec: TopicSpec, floor: int, now: float) -> None:
        if spec.retention_s is not None:
            cut = min(floor, self.at(int((now - spec.retention_s) * 1000)))
            self.begin = max(self.begin, cut)
            self.records = [r for r in self.records if r.offset >= self.begin]
        if spec.compacted:
            newest = {r.key: r.offset for r in self.records}
            self.records = [
                r
                for r in self.records
                if r.key is None or r.offset >= floor or r.offset == newest[r.key]
            ]


class Member(Protocol):
    """What a group knows of a subscription."""

    topics: frozenset[str]
    epoch: int
    incoming: frozenset[TopicPartition] | None


class Group:
    """A rebalance waits until every member has given up what it had, or is expelled."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.name = name
        self.epoch = 0
        self.committed: dict[TopicPartition, int] = {}
        self.topics: set[str] = set()
        self.members: list[Member] = []
        self.arrived: list[Member] = []
        self._deadline: float | None = None

    @property
    def rebalancing(self) -> bool:
        return self._deadline is not None

    @property
    def known(self) -> bool:
        """Whether it ever subscribed or committed; asking about a group does not make it."""
        return bool(self.topics or self.committed)

    def join(self, member: Member) -> None:
        self.members.append(member)
        self.topics |= member.topics
        self.rebalance()

    def leave(self, member: Member) -> None:
        self.members = [m for m in self.members if m is not member]
        self.arrived = [m for m in self.arrived if m is not member]
        self.rebalance()
        self._complete()

    def rebalance(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self.broker.chaos.rebalance_timeout_s
        self.broker.announce()

    def arrive(self, member: Member) -> None:
        if member in self.members and member not in self.arrived:
            member.incoming = None
            self.arrived.append(member)
        self._complete()

    def expel_late(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.members = list(self.arrived)
            self._complete()

    def floor(self, tp: TopicPartition) -> int | None:
        """Cleaning stops there; None if the group does not read the topic."""
        known = tp.topic in self.topics or tp in self.committed
        return self.committed.get(tp, 0) if known else None

    def _complete(self) -> None:
        if self._deadline is None or len(self.arrived) < len(self.members):
            return
        self._deadline = None
        self.epoch += 1
        self.arrived = []
        # Shuffled, so that partitions change hands at every rebalance.
        members = self.broker.random.sample(self.members, len(self.members))
        for index, member in enumerate(members):
            member.epoch = self.epoch
            member.incoming = frozenset(
                tp for tp in self.broker.of(member.topics) if self._owner(tp, members) == index
            )
        self.broker.announce()

    def _owner(self, tp: TopicPartition, members: list[Member]) -> int:
        """Kafka's range assignor: joined topics' equal partitions meet at one member."""
        readers = [i for i, member in enumerate(members) if tp.topic in member.topics]
        count = self.broker.topics[tp.topic].partitions
        return readers[tp.partition * len(readers) // count]


class Broker:
    """What outlives its clients. ``away`` makes every call an outage."""

    def __init__(self, seed: int, chaos: Chaos, clock: Callable[[], float] = time.time) -> None:
        self.random = random.Random(seed)
        self.chaos = chaos
        self.clock = clock
        self.away = False
        self.topics: dict[str, TopicSpec] = {}
        self.partitions: dict[TopicPartition, Partition] = {}
        self.groups: dict[str, Group] = {}
        self._changed = asyncio.Event()

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(self, name))

    def of(self, topics: Iterable[str]) -> list[TopicPartition]:
        """All partitions of these topics."""
        names = list(topics)
        for name in names:
            if name not in self.topics:
                raise SettingsError(f"there is no topic {name!r}; create it before it is used")
        return [tp for tp in self.partitions if tp.topic in names]

    def append(self, messages: Iterable[Message]) -> None:
        for message in messages:
            count = self.topics[message.topic].partitions
            if message.key is None:
                number = self.random.randrange(count)
            else:
                number = partition_of(message.key, count)
            partition = self.partitions[TopicPartition(message.topic, number)]
            for _ in range(2 if self.random.random() < self.chaos.twice else 1):
                partition.append(message, int(self.clock() * 1000))
        self.announce()

    async def enter(self) -> None:
        """Every call begins here: it may take a while, and fails while the broker is away."""
        await asyncio.sleep(self.random.uniform(0, self.chaos.delay_s))
        if self.away:
            raise OutageError("the in-memory broker is away")

    def announce(self) -> None:
        """Something changed: whoever waits looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self, timeout: float) -> None:
        """Returns when something changed, after ``timeout`` seconds at the latest."""
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return
