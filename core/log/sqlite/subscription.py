"""A group's only consumer on the embedded log: it owns every partition while it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from core.database.bell import Alarm
from core.database.database import SqliteDatabase
from core.errors import OwnershipLostError
from core.files.lock import FileLock
from core.log.port import Fence, RebalanceListener, Record, TopicPartition
from core.log.sqlite.groups import Groups
from core.log.sqlite.read import Cursor, read


class SqliteSubscription:
    """Made by ``SqliteEventLog.subscribe``; nothing is read ahead of what ``fetch`` returns."""

    def __init__(
        self,
        database: SqliteDatabase,
        groups: Groups,
        fence: Fence,
        lock: FileLock,
        cursors: Iterable[Cursor],
        alarm: Alarm,
        listener: RebalanceListener,
        closed: Callable[[SqliteSubscription], None],
    ) -> None:
        self._database = database
        self._groups = groups
        self._fence = fence
        self._lock = lock
        self._cursors = {cursor.tp: cursor for cursor in cursors}
        self._alarm = alarm
        self._listener = listener
        self._when_closed = closed
        self._assignment: frozenset[TopicPartition] = frozenset()
        self._paused: frozenset[TopicPartition] = frozenset()
        self._turn = 0
        self._joining: asyncio.Task[None] | None = None
        self._joined = False
        self._lost = False
        self._closed = False

    @property
    def fence(self) -> Fence:
        return self._fence

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """Empty until the first ``fetch``, then all partitions."""
        return self._assignment

    async def fetch(self, limit: int, timeout: float) -> list[Record]:
        """See the port.

        Raises:
            OwnershipLostError: the group has a newer owner although this one held its lock.
        """
        if not self._joined and not self._closed:
            await self._join()
        # Let others run, for a consumer with a backlog never waits below.
        await asyncio.sleep(0)
        deadline = asyncio.get_running_loop().time() + timeout
        while not self._closed:
            if self._lost:
                await self._revoke()
                raise OwnershipLostError(f"group {self._fence.group!r} has a newer owner")
            if self._alarm.is_set() and (records := self._read(limit)):
                return records
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await self._alarm.wait(left):
                break
        return []

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused |= frozenset(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._paused -= frozenset(partitions)
        self._alarm.set()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        if self._lost or not self._assignment.issuperset(offsets):
            raise OwnershipLostError(
                f"group {self._fence.group!r} does not own {set(offsets) - self._assignment} here"
            )
        try:
            await self._groups.commit(self._fence, offsets)
        except OwnershipLostError:
            self._lost = True
            self._alarm.set()
            raise

    async def close(self) -> None:
        """Leaves the group, also where that cannot be written, which raises OutageError."""
        if self._closed:
            return
        self._closed = True
        self._alarm.set()
        try:
            if self._joining is not None:
                await asyncio.gather(self._joining, return_exceptions=True)
            await self._revoke()
            await self._groups.leave(self._fence)
        finally:
            self._lock.release()
            self._database.bell.silence(self._alarm)
            self._when_closed(self)

    async def _join(self) -> None:
        """Calls the listener, to the end: a fetch that is cancelled meanwhile interrupts nothing,
        and the next call waits for it. Called by halves, it would give up what it never had."""
        if self._joining is None:
            self._assignment = frozenset(self._cursors)
            self._joining = asyncio.create_task(self._listener.assigned(self._assignment))
        joining = self._joining
        try:
            await asyncio.shield(joining)
            self._joined = True
        finally:
            if joining.done():
                self._joining = None

    def _read(self, limit: int) -> list[Record]:
        self._alarm.clear()
        cursors = [c for tp, c in self._cursors.items() if tp not in self._paused]
        if not cursors:
            return []
        # Another partition is first each time: the last ones get less when much is waiting.
        self._turn = (self._turn + 1) % len(cursors)
        records: list[Record] | None = None
        try:
            with self._database.reading() as db:
                records = read(db, cursors[self._turn :] + cursors[: self._turn], limit)
        finally:
            # Only having looked and found nothing is a reason to wait.
            if records != []:
                self._alarm.set()
        return records

    async def _revoke(self) -> None:
        if self._assignment:
            # Still ours while the listener drains, publishes and commits.
            await self._listener.revoked(self._assignment)
            self._assignment = frozenset()
