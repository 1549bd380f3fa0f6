"""Consumer groups of the embedded log: who consumes, under which epoch, and how far they are.

A file lock keeps a second process out while the first lives. The epoch, read in the same
transaction as every fenced write, keeps out what an earlier owner still had under way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from core.database.database import SqliteDatabase
from core.database.transaction import Bulk, Transaction
from core.errors import OwnershipLostError, SettingsError
from core.files.lock import FileLock
from core.log.port import Fence, TopicPartition
from core.log.sqlite.topics import Topics

_OFFSETS = Bulk(
    "offsets",
    "INSERT INTO offsets (group_name, shard, next) VALUES",
    "(?,?,?)",
    "ON CONFLICT (group_name, shard) DO UPDATE SET next = excluded.next",
)


class _Epochs(dict[str, int]):
    """The epoch of each group."""


def check_fence(transaction: Transaction, fence: Fence) -> None:
    """Raises OwnershipLostError unless the fence is the group's newest."""
    epochs = transaction.memory(_Epochs)
    if fence.group not in epochs:
        row = transaction.db.execute(
            "SELECT epoch FROM groups WHERE name = ?", (fence.group,)
        ).fetchone()
        epochs[fence.group] = row[0] if row is not None else -1
    if epochs[fence.group] != fence.epoch:
        raise OwnershipLostError(
            f"group {fence.group!r} has a newer owner than epoch {fence.epoch}; "
            "its uncommitted records are done again there"
        )


class Groups:
    """Offsets and ownership of all groups of a database."""

    def __init__(self, database: SqliteDatabase, topics: Topics) -> None:
        self._database = database
        self._topics = topics

    def lock(self, group: str) -> FileLock:
        """Takes the group for this process; raises BusyError, SettingsError for no name."""
        if not group:
            raise SettingsError("a consumer group needs a name")
        name = f"{quote(group, safe='')}.lock"
        lock = FileLock(self._database.path.parent / "locks" / name)
        lock.acquire(f"consumer group {group!r}")
        return lock

    async def join(self, group: str, shards: Collection[int]) -> int:
        """A new epoch, higher than all before; from now on cleaning waits for the group."""

        def work(transaction: Transaction) -> int:
            transaction.db.executemany(
                "INSERT OR IGNORE INTO offsets (group_name, shard) VALUES (?, ?)",
                [(group, shard) for shard in shards],
            )
            return _raise_epoch(transaction, group)

        return await self._database.write(work)

    async def leave(self, fence: Fence) -> None:
        """Makes the fence stale, if it is not."""

        def work(transaction: Transaction) -> None:
            check_fence(transaction, fence)
            _raise_epoch(transaction, fence.group)

        try:
            await self._database.write(work)
        except OwnershipLostError:
            return

    async def commit(self, fence: Fence, offsets: Mapping[TopicPartition, int]) -> None:
        rows = self._rows(fence.group, offsets)

        def work(transaction: Transaction) -> None:
            check_fence(transaction, fence)
            transaction.add(_OFFSETS, rows)

        await self._database.write(work)

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises BusyError while somebody consumes the group."""
        rows = self._rows(group, offsets)

        def work(transaction: Transaction) -> None:
            _raise_epoch(transaction, group)
            transaction.add(_OFFSETS, rows)

        lock = self.lock(group)
        try:
            await self._database.write(work)
        finally:
            lock.release()

    def committed(self, group: str) -> dict[int, int]:
        """Next offset by shard."""
        with self._database.reading() as db:
            return dict(
                db.execute(
                    "SELECT shard, next FROM offsets WHERE group_name = ? AND next IS NOT NULL",
                    (group,),
                ).fetchall()
            )

    def names(self) -> list[str]:
        with self._database.reading() as db:
            return [row[0] for row in db.execute("SELECT name FROM groups ORDER BY name")]

    def _rows(
        self, group: str, offsets: Mapping[TopicPartition, int]
    ) -> list[tuple[str, int, int]]:
        rows = [(group, self._topics.shard(tp), offset) for tp, offset in offsets.items()]
        if any(offset < 0 for _, _, offset in rows):
            raise SettingsError(f"an offset of group {group!r} is negative; offsets start at 0")
        return rows


def _raise_epoch(transaction: Transaction, group: str) -> int:
    transaction.db.execute(
        "INSERT INTO groups (name, epoch) VALUES (?, 1) "
        "ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1",
        (group,),
    )
    epoch: int = transaction.db.execute(
        "SELECT epoch FROM groups WHERE name = ?", (group,)
    ).fetchone()[0]
    transaction.memory(_Epochs)[group] = epoch
    return epoch
