"""The event log of a cluster: Apache Kafka.

Durability is the cluster's: what is published was written by every replica in sync, so keep three
copies and ``min.insync.replicas=2`` where a machine may be lost. Kafka fences commits by the
group's generation, and publishing not at all; see ``core.log.kafka.fences``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from core.errors import SettingsError
from core.log.kafka.cluster import Cluster
from core.log.kafka.options import KafkaOptions
from core.log.kafka.producer import Appender
from core.log.kafka.subscription import KafkaSubscription
from core.log.kafka.tail import Tail
from core.log.kafka.topics import KafkaTopic
from core.log.port import (
    Fence,
    Message,
    RebalanceListener,
    Record,
    Start,
    TopicPartition,
    TopicSpec,
)
from core.telemetry import quieten

__all__ = ["KafkaEventLog", "KafkaOptions", "KafkaTopic"]


class KafkaEventLog:
    """An ``EventLog`` for many processes on many machines."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._appender = Appender(cluster.options, cluster.credentials, cluster.topics)
        self._subscriptions: set[KafkaSubscription] = set()
        self._tails: set[Tail] = set()
        # It calls every broken connection an error, and each of its tasks logs it again.
        quieten("aiokafka", "kafka_client_said")

    @classmethod
    async def open(cls, options: KafkaOptions) -> KafkaEventLog:
        """Reaches no broker yet: one that is away is an outage of the first call.

        Raises:
            SettingsError: a certificate cannot be read.
        """
        return cls(await asyncio.to_thread(Cluster, options))

    async def create_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Makes the missing ones; existing ones stay as they are, see :meth:`described`."""
        await self._cluster.topics.create(topics)

    async def topics(self) -> dict[str, TopicSpec]:
        return {name: topic.spec for name, topic in (await self.described()).items()}

    async def described(self) -> dict[str, KafkaTopic]:
        """Every topic as the cluster keeps it in truth, whoever made it."""
        return await self._cluster.topics.described()

    async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
        """See the port. After an error some of the messages may have been written.

        Raises:
            StageStopError: a topic takes only smaller messages than ours may be.
            OutageError: it was not acknowledged in time.
        """
        if not messages:
            return
        if fence is not None:
            self._cluster.fences.check(fence)
        await self._appender.append(messages)

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> KafkaSubscription:
        """See the port. Raises SettingsError for a topic that does not exist, or no group."""
        if not group:
            raise SettingsError("a consumer group needs a name")
        await self._cluster.topics.partitions(topics)
        subscription = KafkaSubscription(
            self._cluster, group, topics, listener, self._subscriptions.discard
        )
        self._subscriptions.add(subscription)
        try:
            await subscription.join()
        except BaseException:
            await subscription.close()
            raise
        return subscription

    async def tail(
        self, topics: Sequence[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        """Positions are taken when the first record is asked for; a partition that ``start``
        leaves out is read whole."""
        tail = Tail(self._cluster)
        self._tails.add(tail)
        try:
            async for record in tail.read(topics, start, follow):
                yield record
        finally:
            self._tails.discard(tail)
            await tail.close()

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        return await self._cluster.offsets.committed(group)

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        await self._cluster.offsets.set(group, offsets)

    async def begin_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        return await self._cluster.offsets.begin(topics)

    async def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        return await self._cluster.offsets.end(topics)

    async def offsets_at(self, topic: str, timestamp: int) -> dict[TopicPartition, int]:
        return await self._cluster.offsets.at(topic, timestamp)

    async def lag(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        return await self._cluster.offsets.lag(group, topics)

    async def forgotten_after_s(self) -> float:
        """How long the brokers remember how far a group without members is, in seconds; after that
        it starts from the earliest record. Raises SettingsError where we may not ask."""
        return await self._cluster.offsets.forgotten_after_s()

    async def groups(self) -> list[str]:
        return await self._cluster.offsets.groups()

    async def maintain(self) -> None:
        """Nothing: the brokers apply retention and compaction, at times of their own. They wait
        for no group, so keep records longer than a consumer may be away."""

    async def close(self) -> None:
        """Closes what is still subscribed or read."""
        try:
            for subscription in list(self._subscriptions):
                await subscription.close()
        finally:
            for tail in list(self._tails):
                await tail.close()
            await self._appender.close()
            await self._cluster.queries.close()
