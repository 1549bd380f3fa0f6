"""A member of a consumer group.

aiokafka follows the group in a task of its own. That task only leaves a note
(``core.log.kafka.group``); what it asks for is done while somebody fetches. So the listener is
never called between a fetch that returned records and their acceptance, and a fetch that is
cancelled meanwhile interrupts nothing: each step runs to its end in a task, and the next call waits
for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaConnectionError,
)

from core.errors import OwnershipLostError
from core.log.kafka.asking import Liveness
from core.log.kafka.cluster import Cluster
from core.log.kafka.connection import why_unreachable
from core.log.kafka.consumer import Consumer, member, records
from core.log.kafka.errors import Failure, translated
from core.log.kafka.group import GroupNotices
from core.log.port import Fence, RebalanceListener, Record, TopicPartition

_SETTLE_S = 3.0
_LOOK_AGAIN_S = 1.0


class KafkaSubscription:
    """Made by ``KafkaEventLog.subscribe``. The fence's epoch is the group's generation."""

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Iterable[str],
        listener: RebalanceListener,
        closed: Callable[[KafkaSubscription], None],
    ) -> None:
        self._cluster = cluster
        self._group = group
        self._topics = {cluster.options.outer(topic) for topic in topics}
        self._listener = listener
        self._when_closed = closed
        self._liveness = Liveness(cluster.queries)
        self._consumer: Consumer | None = None
        self._notices = GroupNotices(lambda: 0, self._wake)
        self._failed: BaseException | None = None
        self._fence = Fence(group, 0)
        self._assignment: frozenset[TopicPartition] = frozenset()
        self._paused: set[TopicPartition] = set()
        self._readable: list[aiokafka.TopicPartition] = []
        self._step: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._committing = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        cluster.fences.joined(group, self)

    @property
    def fence(self) -> Fence:
        return self._fence

    @property
    def holds(self) -> bool:
        """Whether our fence's generation is still the group's, as far as the group let us know."""
        consumer = self._consumer
        return (
            self._fence.epoch > 0
            and consumer is not None
            and consumer.generation == self._fence.epoch
        )

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        return self._assignment

    async def join(self) -> None:
        """Connects, and asks to be let into the group; raises OutageError and SettingsError."""
        await self._follow()

    async def fetch(self, limit: int, timeout: float) -> list[Record]:
        """See the port. While the group is rebalancing it takes a little longer than ``timeout``,
        for a caller with a short one would never see the end of it.

        Raises:
            OutageError: nothing comes, and no broker answers.
        """
        # Let others run, for a consumer with a backlog never waits below.
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time
        deadline, settled = now() + timeout, now() + max(timeout, _SETTLE_S)
        while True:
            self._changed.clear()
            await self._follow()
            if self._closing is not None:
                return []
            if found := await self._take(limit):
                self._liveness.heard()
                return found
            left = (settled if self._notices.rejoining else deadline) - now()
            if left <= 0:
                await self._liveness.check()
                return []
            await self._wait(min(left, _LOOK_AGAIN_S))

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= self._assignment.intersection(partitions)
        self._choose()

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused.difference_update(partitions)
        self._choose()
        self._wake()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        fence, consumer = self._fence, self._consumer
        if consumer is None or not self.holds or not self._assignment.issuperset(offsets):
            raise self._lost(offsets)
        outer = {self._cluster.options.outer_tp(tp): offset for tp, offset in offsets.items()}
        try:
            async with asyncio.timeout(self._cluster.options.answer_s), self._committing:
                await consumer.commit(outer)
        except (CommitFailedError, IllegalStateError) as error:
            raise self._lost(offsets) from error
        except Failure as error:
            raise translated(error, self._cluster.options) from error
        # aiokafka commits in nobody's name once it was thrown out, and an empty group allows that.
        if self._fence != fence or not self.holds:
            raise self._lost(offsets)

    async def close(self) -> None:
        """See the port. Ends alike for everybody who calls it, once it is done."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._leave())
            self._wake()
        await asyncio.shield(self._closing)

    # -- steps ----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Does what the group asks for, one step after the other."""
        while self._closing is None:
            if self._step is None:
                due = self._due()
                if due is None:
                    return
                self._step = asyncio.create_task(due)
            step = self._step
            try:
                await self._alive_until(asyncio.shield(step))
            finally:
                if step.done():
                    self._step = None

    def _due(self) -> Coroutine[Any, Any, None] | None:
        if self._consumer is None:
            return self._join()
        if self._failed is not None:
            return self._start_over(self._consumer, self._failed)
        if self._notices.leaving:
            return self._give_up()
        if self._notices.incoming is not None:
            return self._take_over(self._consumer)
        return None

    async def _join(self) -> None:
        options, credentials = self._cluster.options, self._cluster.credentials
        consumer = member(options, credentials, self._group)
        try:
            async with asyncio.timeout(options.answer_s):
                await consumer.start()
        except KafkaConnectionError as error:
            await consumer.leave()
            raise await why_unreachable(options, credentials) from error
        except Failure as error:
            await consumer.leave()
            raise translated(error, options) from error
        self._notices = GroupNotices(lambda: consumer.generation, self._wake)
        consumer.subscribe(self._topics, listener=self._notices)
        self._consumer = consumer

    async def _give_up(self) -> None:
        """Still ours while the listener drains, publishes and commits."""
        if self._assignment:
            await self._listener.revoked(self._assignment)
        self._cluster.fences.over(self._fence)
        self._own(frozenset())
        self._notices.left()

    async def _take_over(self, consumer: Consumer) -> None:
        incoming = self._notices.incoming
        assert incoming is not None
        partitions = frozenset(map(self._cluster.options.inner_tp, incoming.partitions))
        # Not left to aiokafka: it takes an error of a coordinator that is still loading for a group
        # that never committed, and would start it from the beginning.
        starts = await self._starts(partitions)
        for tp, offset in starts.items():
            consumer.seek(self._cluster.options.outer_tp(tp), offset)
        self._fence = Fence(self._group, incoming.generation)
        self._own(partitions)
        if partitions:
            await self._listener.assigned(partitions)
        if self._notices.incoming is incoming:
            self._notices.incoming = None

    async def _starts(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        committed = await self._cluster.offsets.committed(self._group)
        new = {tp.topic for tp in partitions if tp not in committed}
        begins = await self._cluster.offsets.begin(new) if new else {}
        return {tp: committed[tp] if tp in committed else begins[tp] for tp in partitions}

    async def _start_over(self, consumer: Consumer, error: BaseException) -> None:
        """aiokafka has given up; a new consumer joins at the next fetch."""
        await self._give_up()
        self._notices.close()
        self._failed = self._consumer = None
        await consumer.leave()
        raise translated(error, self._cluster.options) from error

    async def _leave(self) -> None:
        if self._step is not None:
            await asyncio.gather(self._step, return_exceptions=True)
        try:
            if self._assignment:
                await self._listener.revoked(self._assignment)
        finally:
            self._cluster.fences.over(self._fence)
            self._own(frozenset())
            self._notices.close()
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                await consumer.leave()
            self._cluster.fences.left(self._group, self)
            self._when_closed(self)

    # -- parts ----------------------------------------------------------------------------------

    def _own(self, partitions: frozenset[TopicPartition]) -> None:
        self._assignment = partitions
        self._paused.clear()
        self._choose()

    def _choose(self) -> None:
        self._readable = [
            self._cluster.options.outer_tp(tp) for tp in self._assignment - self._paused
        ]

    async def _take(self, limit: int) -> list[Record]:
        assert self._consumer is not None
        try:
            if self._notices.rejoining:
                self._consumer.check()
                return []
            taken = await self._consumer.take(self._readable, limit)
        except ConsumerStoppedError:
            return []
        except Failure as error:
            self._failed = error
            self._wake()
            return []
        return records(self._cluster.options, taken)

    async def _wait(self, seconds: float) -> None:
        """Until something arrives or changes."""
        if self._consumer is None:
            return
        arrival = self._consumer.arrival(self._wake)
        try:
            async with asyncio.timeout(seconds):
                await self._alive_until(self._changed.wait())
        except TimeoutError:
            return
        finally:
            arrival.cancel()

    async def _alive_until(self, end: Any) -> None:
        if self._consumer is None:
            await end
        else:
            with self._consumer.polling():
                await end

    def _wake(self) -> None:
        self._changed.set()

    def _lost(self, offsets: Mapping[TopicPartition, int]) -> OwnershipLostError:
        named = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(offsets))
        return OwnershipLostError(
            f"group {self._group!r} does not let us commit {named} in generation "
            f"{self._fence.epoch} any more"
        )
