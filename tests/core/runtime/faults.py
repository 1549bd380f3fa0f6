"""Logs and stores that do at one call what a test says, and else what they always do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from core.log.port import Fence, RebalanceListener, Record, Subscription, TopicPartition
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

Act = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    pass


def failing(error: BaseException) -> Act:
    """Raises it at every call."""

    async def fail() -> None:
        raise error

    return fail


class ActingLog(MemoryEventLog):
    """Acts before a subscription's calls, over the broker of another log."""

    def __init__(
        self,
        log: MemoryEventLog,
        *,
        subscribe: Act = _nothing,
        commit: Act = _nothing,
        close: Act = _nothing,
    ) -> None:
        super().__init__(broker=log.broker)
        self._subscribe = subscribe
        self._commit = commit
        self._close = close

    async def subscribe(  # type: ignore[override]
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> Subscription:
        await self._subscribe()
        member = await super().subscribe(group, topics, listener)
        return ActingSubscription(member, self._commit, self._close)


class ActingSubscription:
    """A member that acts before it commits, and after it left."""

    def __init__(self, member: Subscription, commit: Act, close: Act) -> None:
        self._member = member
        self._commit = commit
        self._close = close

    @property
    def fence(self) -> Fence:
        return self._member.fence

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        return self._member.assignment

    async def fetch(self, limit: int, timeout: float) -> list[Record]:
        return await self._member.fetch(limit, timeout)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._member.pause(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._member.resume(partitions)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._commit()
        await self._member.commit(offsets)

    async def close(self) -> None:
        await self._member.close()
        await self._close()


class ActingStateStore(MemoryStateStore):
    """Acts before it lists keys."""

    def __init__(self, values: dict[str, bytes], keys: Act) -> None:
        super().__init__(values)
        self._keys = keys

    async def keys(self, prefix: str) -> list[str]:
        await self._keys()
        return await super().keys(prefix)
