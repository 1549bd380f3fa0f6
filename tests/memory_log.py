"""An event log in memory that keeps the contract and nothing else: nastier than Kafka.

Groups have several members; every rebalance moves partitions, hands out again what was not
committed, and refuses what a former owner commits or publishes. Partitions come in any mixture.
A run with the same seed makes the same choices.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence

from core.errors import BusyError, OwnershipLostError
from core.log.port import (
    Fence,
    Message,
    RebalanceListener,
    Record,
    Start,
    TopicPartition,
    TopicSpec,
)
from tests.memory_broker import Broker, Chaos, Group, Partition

CALM = Chaos(rebalance=0.0, twice=0.0, delay_s=0.0)
_LOOK_AGAIN_S = 0.05


class MemorySubscription:
    """One member; its partitions change at any ``fetch``."""

    def __init__(
        self, broker: Broker, group: Group, topics: Sequence[str], listener: RebalanceListener
    ) -> None:
        self.topics = frozenset(topics)
        self.epoch = group.epoch
        self.incoming: frozenset[TopicPartition] | None = None
        self._broker = broker
        self._group = group
        self._listener = listener
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._closed = False
        self._telling: asyncio.Task[None] | None = None
        group.join(self)

    @property
    def fence(self) -> Fence:
        return Fence(self._group.name, self.epoch)

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    async def fetch(self, limit: int, timeout: float) -> list[Record]:
        deadline = time.monotonic() + timeout
        await self._broker.enter()
        if self._broker.random.random() < self._broker.chaos.rebalance:
            self._group.rebalance()
        while not self._closed:
            # To its end, though the fetch be cancelled.
            if self._telling is None:
                self._telling = asyncio.create_task(self._rebalance())
            telling = self._telling
            try:
                await asyncio.shield(telling)
            finally:
                if telling.done():
                    self._telling = None
            if records := self._take(limit):
                return records
            left = deadline - time.monotonic()
            if left <= 0:
                break
            await self._broker.change(min(left, _LOOK_AGAIN_S))
        return []

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused -= set(partitions)
        self._broker.announce()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._broker.enter()
        owner = self in self._group.members and self.epoch == self._group.epoch
        if not owner or not self.assignment.issuperset(offsets):
            raise OwnershipLostError(f"group {self._group.name!r} was rebalanced")
        self._group.committed.update(offsets)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._telling is not None:
                await asyncio.gather(self._telling, return_exceptions=True)
            await self._give_up()
        finally:
            self._group.leave(self)

    def crash(self) -> None:
        """Ends as by kill -9: nobody is told, nothing is committed, the others take over."""
        self._closed = True
        self._positions = {}
        self._group.leave(self)

    async def _rebalance(self) -> None:
        group = self._group
        settled = False
        while not settled and not self._closed:
            group.expel_late()
            if self not in group.members:
                await self._give_up()
                group.join(self)
            elif group.rebalancing and self not in group.arrived:
                await self._give_up()
                group.arrive(self)
            else:
                settled = True
        if self.incoming is not None and not self._closed:
            partitions, self.incoming = self.incoming, None
            self._positions = {tp: group.committed.get(tp, 0) for tp in partitions}
            self._paused.clear()
            await self._listener.assigned(partitions)

    async def _give_up(self) -> None:
        if self._positions:
            await self._listener.revoked(self.assignment)
            self._positions = {}

    def _take(self, limit: int) -> list[Record]:
        waiting: list[list[Record]] = []
        for tp, position in self._positions.items():
            if tp not in self._paused and not self._group.rebalancing:
                waiting.append(self._broker.partitions[tp].since(position, limit)[::-1])
        waiting = [records for records in waiting if records]
        taken: list[Record] = []
        most = self._broker.random.randint(1, limit)
        while waiting and len(taken) < most:
            records = self._broker.random.choice(waiting)
            record = records.pop()
            self._positions[record.tp] = record.offset + 1
            taken.append(record)
            waiting = [records for records in waiting if records]
        return taken


class MemoryEventLog:
    """One client of a broker; ``another`` gives a second one, as in another process."""

    def __init__(
        self,
        seed: int = 0,
        chaos: Chaos | None = None,
        broker: Broker | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.broker = broker or Broker(seed, chaos or Chaos(), clock)
        self._subscriptions: list[MemorySubscription] = []
        self._closed = asyncio.Event()

    def another(self) -> MemoryEventLog:
        return MemoryEventLog(broker=self.broker)

    def rebalance(self, group: str) -> None:
        """Every member gives up its partitions at its next fetch."""
        self.broker.group(group).rebalance()

    async def create_topics(self, topics: Sequence[TopicSpec]) -> None:
        await self.broker.enter()
        for spec in topics:
            if self.broker.topics.setdefault(spec.name, spec) is spec:
                for number in range(spec.partitions):
                    tp = TopicPartition(spec.name, number)
                    self.broker.partitions[tp] = Partition(tp)

    async def topics(self) -> dict[str, TopicSpec]:
        await self.broker.enter()
        return dict(self.broker.topics)

    async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
        await self.broker.enter()
        self.broker.of({message.topic for message in messages})
        if fence is not None and self.broker.group(fence.group).epoch != fence.epoch:
            raise OwnershipLostError(f"group {fence.group!r} was rebalanced")
        self.broker.append(messages)
        await self.broker.enter()

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> MemorySubscription:
        await self.broker.enter()
        self.broker.of(topics)
        member = MemorySubscription(self.broker, self.broker.group(group), topics, listener)
        self._subscriptions.append(member)
        return member

    async def tail(
        self, topics: Sequence[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        tps = self.broker.of(topics)
        ends = {tp: self.broker.partitions[tp].end for tp in tps}
        if start == "latest":
            start = ends
        elif start == "earliest":
            start = {}
        positions = {tp: start.get(tp, 0) for tp in tps}
        while not self._closed.is_set():
            await self.broker.enter()
            ready = [
                record
                for tp, position in positions.items()
                for record in self.broker.partitions[tp].since(position, 1)
                if follow or record.offset < ends[tp]
            ]
            if ready:
                record = self.broker.random.choice(ready)
                positions[record.tp] = record.offset + 1
                yield record
            elif follow:
                await self.broker.change(_LOOK_AGAIN_S)
            else:
                return

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        await self.broker.enter()
        return dict(self.broker.group(group).committed)

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        await self.broker.enter()
        found = self.broker.group(group)
        if found.members:
            raise BusyError(f"consumer group {group!r} has {len(found.members)} members")
        found.committed.update(offsets)

    async def begin_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        await self.broker.enter()
        return {tp: self.broker.partitions[tp].begin for tp in self.broker.of(topics)}

    async def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        await self.broker.enter()
        return {tp: self.broker.partitions[tp].end for tp in self.broker.of(topics)}

    async def offsets_at(self, topic: str, timestamp: int) -> dict[TopicPartition, int]:
        await self.broker.enter()
        return {tp: self.broker.partitions[tp].at(timestamp) for tp in self.broker.of([topic])}

    async def lag(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        done = await self.committed(group)
        found = {tp: self.broker.partitions[tp] for tp in self.broker.of(topics)}
        return {tp: max(0, p.end - max(p.begin, done.get(tp, 0))) for tp, p in found.items()}

    async def groups(self) -> list[str]:
        await self.broker.enter()
        return sorted(name for name, group in self.broker.groups.items() if group.known)

    async def maintain(self) -> None:
        await self.broker.enter()
        for tp, partition in self.broker.partitions.items():
            floors = [group.floor(tp) for group in self.broker.groups.values()]
            floor = min((f for f in floors if f is not None), default=partition.end)
            partition.clean(self.broker.topics[tp.topic], floor, self.broker.clock())

    async def close(self) -> None:
        self._closed.set()
        self.broker.announce()
        for subscription in self._subscriptions:
            await subscription.close()
