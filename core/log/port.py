"""The event log: topics of partitions of records, read by groups that commit how far they are.

It is Kafka's model with Kafka's words. Delivery is at least once: a record is read again until an
offset behind it is committed. Within a partition order is kept; between partitions there is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

Start = Literal["earliest", "latest"]


class TopicPartition(NamedTuple):
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is kept.

    Attributes:
        partitions: fixed at creation, because keys map to partitions by their number.
        retention_s: records older than this may go, in seconds; None keeps them for ever.
        compacted: only the newest record of a key is kept; a record without a value removes it.
        append_times: a record's time is when the log took it, not when its sender says; seeking by
            time needs that. Only topics that somebody else made may lack it.
    """

    name: str
    partitions: int = 8
    retention_s: float | None = None
    compacted: bool = False
    append_times: bool = True


# Nobody changes a message or a record. They are not frozen, because a frozen dataclass is filled
# field by field at several times the cost, and these are made for every event.


@dataclass(slots=True)
class Message:
    """What is published. ``value`` None is a tombstone; ``key`` None spreads over partitions."""

    topic: str
    key: str | None
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """What is read. ``timestamp`` is the log's append time, in milliseconds since the epoch."""

    tp: TopicPartition
    offset: int
    timestamp: int
    key: str | None
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def topic(self) -> str:
        return self.tp.topic

    @property
    def partition(self) -> int:
        return self.tp.partition

    @property
    def place(self) -> str:
        """``TOPIC:PARTITION:OFFSET``, as people name a record."""
        return f"{self.tp.topic}:{self.tp.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of ownership, taken from a subscription; a write with a stale one is refused."""

    group: str
    epoch: int


class RebalanceListener(Protocol):
    """Called when ownership changes; both calls are awaited before fetching goes on. Neither is cut
    short: a fetch that is cancelled meanwhile leaves it to its end, and ``close`` waits for it."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These are ours from now on."""
        ...

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Ownership ends when this returns: last chance to drain, publish and commit."""
        ...


class Subscription(Protocol):
    """One member of a consumer group."""

    @property
    def fence(self) -> Fence: ...

    @property
    def assignment(self) -> frozenset[TopicPartition]: ...

    async def fetch(self, limit: int, timeout: float) -> list[Record]:
        """Up to ``limit`` records of unpaused partitions; empty after ``timeout`` seconds.

        Rebalances happen in here, the first assignment, too. Each record is returned once per
        assignment.

        Raises:
            OwnershipLostError: another process has the group, and this one cannot come back.
        """
        ...

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Until they are resumed, or assigned anew."""
        ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Wakes a fetch that waits."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Records that everything before these offsets is done; durable on return.

        Raises:
            OwnershipLostError: a partition is not ours any more; do not retry.
        """
        ...

    async def close(self) -> None:
        """Leaves the group; calls ``revoked`` for what it still has."""
        ...


class EventLog(Protocol):
    """Publishes, subscribes, and answers questions about offsets.

    Every call raises OutageError while the log cannot be reached or written (disk full, too).
    """

    async def create_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Makes those that are missing; existing ones keep their partitions."""
        ...

    async def topics(self) -> dict[str, TopicSpec]: ...

    async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
        """Appends in order; on return every message survives a crash and a power loss.

        Raises:
            OwnershipLostError: the fence is stale; nothing was written.
            SettingsError: a topic does not exist.
        """
        ...

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> Subscription:
        """Joins a group; a new group starts at the earliest record.

        Raises:
            BusyError: this log lets one process consume a group, and another one does.
        """
        ...

    def tail(
        self, topics: Sequence[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        """Reads without a group; ends at the present end unless ``follow``."""
        ...

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Next offset to read, for each partition the group ever committed."""
        ...

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Moves a group that nobody consumes; raises BusyError when somebody does."""
        ...

    async def begin_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]: ...

    async def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        """One past the newest record of each partition."""
        ...

    async def offsets_at(self, topic: str, timestamp: int) -> dict[TopicPartition, int]:
        """First offset at or after a time in milliseconds; the end where there is none."""
        ...

    async def lag(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        """Records each partition holds that the group has not committed."""
        ...

    async def groups(self) -> list[str]: ...

    async def maintain(self) -> None:
        """Applies retention and compaction; never passes the offset of a group."""
        ...

    async def close(self) -> None: ...
