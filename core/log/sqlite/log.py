"""The event log of one machine, in SQLite: needs no server, and any process may use it.

A group has one consuming process at a time. Publishing and committing are durable on return
(``synchronous=FULL``), and many that wait together share one fsync.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from core.database.database import SqliteDatabase
from core.log.port import (
    Fence,
    Message,
    RebalanceListener,
    Record,
    Start,
    TopicPartition,
    TopicSpec,
)
from core.log.sqlite.append import Appender
from core.log.sqlite.clean import Cleaner
from core.log.sqlite.groups import Groups
from core.log.sqlite.read import Cursor, begin_offset, end_offset, offset_at, read
from core.log.sqlite.subscription import SqliteSubscription
from core.log.sqlite.topics import Topics

_PAGE = 256


class SqliteEventLog:
    """An ``EventLog`` on a database that it may share with a state store."""

    def __init__(self, database: SqliteDatabase, clock: Callable[[], float] = time.time) -> None:
        """``clock`` gives the append time, in seconds since the epoch."""
        self._database = database
        self._topics = Topics(database)
        self._groups = Groups(database, self._topics)
        self._appender = Appender(self._topics, clock)
        self._cleaner = Cleaner(database, clock)
        self._subscriptions: set[SqliteSubscription] = set()
        self._closed = False
        database.retain()

    async def create_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Makes the missing ones; existing ones take over retention and compaction."""
        await self._topics.create(topics)

    async def topics(self) -> dict[str, TopicSpec]:
        return self._topics.specs()

    async def publish(self, messages: Sequence[Message], fence: Fence | None = None) -> None:
        """All of them or none."""
        if messages:
            await self._database.write(self._appender.prepare(messages, fence))

    async def subscribe(
        self, group: str, topics: Sequence[str], listener: RebalanceListener
    ) -> SqliteSubscription:
        shards = self._topics.shards(topics)
        lock = self._groups.lock(group)
        try:
            epoch = await self._groups.join(group, shards.values())
            committed = self._groups.committed(group)
        except BaseException:
            lock.release()
            raise
        subscription = SqliteSubscription(
            self._database,
            self._groups,
            Fence(group, epoch),
            lock,
            [Cursor(tp, shard, committed.get(shard, 0)) for tp, shard in shards.items()],
            self._database.bell.alarm(topics),
            listener,
            self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        return subscription

    def tail(
        self, topics: Sequence[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        """Positions are taken at the call; a partition that ``start`` leaves out is read whole."""
        shards = self._topics.shards(topics)
        with self._database.reading() as db:
            ends = {tp: end_offset(db, shard)[0] for tp, shard in shards.items()}
        if start == "earliest":
            start = {}
        elif start == "latest":
            start = ends
        cursors = [
            Cursor(tp, shard, start.get(tp, 0), None if follow else ends[tp])
            for tp, shard in shards.items()
        ]
        return self._follow(topics, cursors) if follow else self._drain(cursors)

    async def _drain(self, cursors: list[Cursor]) -> AsyncIterator[Record]:
        while records := self._page(cursors):
            for record in records:
                yield record
            await asyncio.sleep(0)

    async def _follow(self, topics: Sequence[str], cursors: list[Cursor]) -> AsyncIterator[Record]:
        alarm = self._database.bell.alarm(topics)
        try:
            while not self._closed:
                alarm.clear()
                while records := self._page(cursors):
                    for record in records:
                        yield record
                    await asyncio.sleep(0)
                await alarm.wait()
        finally:
            self._database.bell.silence(alarm)

    def _page(self, cursors: list[Cursor]) -> list[Record]:
        with self._database.reading() as db:
            return read(db, cursors, _PAGE)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        tps = {shard: tp for tp, shard in self._topics.shards(self._topics.specs()).items()}
        return {tps[shard]: offset for shard, offset in self._groups.committed(group).items()}

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        await self._groups.set_offsets(group, offsets)

    async def begin_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        shards = self._topics.shards(topics)
        with self._database.reading() as db:
            return {tp: begin_offset(db, shard) for tp, shard in shards.items()}

    async def end_offsets(self, topics: Collection[str]) -> dict[TopicPartition, int]:
        shards = self._topics.shards(topics)
        with self._database.reading() as db:
            return {tp: end_offset(db, shard)[0] for tp, shard in shards.items()}

    async def offsets_at(self, topic: str, timestamp: int) -> dict[TopicPartition, int]:
        shards = self._topics.shards([topic])
        with self._database.reading() as db:
            return {tp: offset_at(db, shard, timestamp) for tp, shard in shards.items()}

    async def lag(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        begins, ends = await self.begin_offsets(topics), await self.end_offsets(topics)
        done = await self.committed(group)
        return {tp: max(0, end - max(begins[tp], done.get(tp, 0))) for tp, end in ends.items()}

    async def groups(self) -> list[str]:
        return self._groups.names()

    async def maintain(self) -> None:
        """Never cleans what a group that ever subscribed to the topic has not committed."""
        await self._cleaner.clean()

    async def close(self) -> None:
        """Closes what is still subscribed; ends the database's threads if nobody else uses it."""
        if self._closed:
            return
        self._closed = True
        try:
            for subscription in list(self._subscriptions):
                await subscription.close()
        finally:
            self._database.bell.wake()
            await asyncio.to_thread(self._database.release)
