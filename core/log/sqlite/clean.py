"""Retention and compaction of the embedded log, in small steps beside everybody's writing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.database.database import SqliteDatabase
from core.database.schema import PARTITION_BITS
from core.database.transaction import Bulk, Transaction
from core.log.sqlite.read import begin_offset, end_offset, offset_at
from core.log.sqlite.topics import first_id

TOMBSTONE_KEPT_S = 86_400.0
"""A tombstone stays this long, so that who reads slowly learns of the removal; as in Kafka."""

_STEP = 1_000
_PASS = 100_000
_DELETE = Bulk("records", "DELETE FROM records WHERE id IN (VALUES", "(?)", ")")

_SUPERSEDED = """
SELECT id FROM (
    SELECT id, time, value IS NULL AS tombstone, max(id) OVER (PARTITION BY key) AS newest
    FROM records WHERE id >= :first AND id < :end AND key IS NOT NULL
)
WHERE id < :floor AND (id < newest OR (tombstone AND time < :aged AND id < :last))
LIMIT :most
"""


class _Shard(NamedTuple):
    shard: int
    retention_s: float | None
    compacted: bool


class Cleaner:
    """Removes what retention and compaction allow and every registered group has passed."""

    def __init__(self, database: SqliteDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def clean(self) -> None:
        for shard in self._shards():
            if shard.retention_s is not None:
                await self._retain(shard.shard, self._clock() - shard.retention_s)
            if shard.compacted:
                await self._compact(shard.shard)

    def _shards(self) -> list[_Shard]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT shard, retention_s, compacted FROM partitions "
                "JOIN topics ON id = shard >> ? "
                "WHERE retention_s IS NOT NULL OR compacted ORDER BY shard",
                (PARTITION_BITS,),
            ).fetchall()
        return [_Shard(row[0], row[1], bool(row[2])) for row in rows]

    async def _retain(self, shard: int, since: float) -> None:
        with self._database.reading() as db:
            cut = offset_at(db, shard, int(since * 1000))

        def step(transaction: Transaction) -> bool:
            db = transaction.db
            begin = begin_offset(db, shard)
            until = min(begin + _STEP, cut, _floor(db, shard))
            if until <= begin:
                return False
            db.execute(
                "DELETE FROM records WHERE id >= ? AND id < ?",
                (first_id(shard) + begin, first_id(shard) + until),
            )
            db.execute("UPDATE partitions SET begin = ? WHERE shard = ?", (until, shard))
            return True

        more = True
        while more:
            more = await self._database.write(step)

    async def _compact(self, shard: int) -> None:
        found = _PASS
        while found == _PASS:
            ids = await asyncio.to_thread(self._superseded, shard)
            found = len(ids)
            for start in range(0, found, _STEP):
                await self._delete(shard, ids[start : start + _STEP])

    def _superseded(self, shard: int) -> list[int]:
        with self._database.reading_aside() as db:
            # The last record stays, tombstone or not: it knows the partition's next offset.
            end = first_id(shard) + end_offset(db, shard)[0]
            rows = db.execute(
                _SUPERSEDED,
                {
                    "first": first_id(shard),
                    "end": end,
                    "floor": first_id(shard) + _floor(db, shard),
                    "aged": int((self._clock() - TOMBSTONE_KEPT_S) * 1000),
                    "last": end - 1,
                    "most": _PASS,
                },
            ).fetchall()
        return [row[0] for row in rows]

    async def _delete(self, shard: int, ids: Sequence[int]) -> None:
        def work(transaction: Transaction) -> None:
            # A group may have joined, or been moved back, since the ids were found.
            floor = first_id(shard) + _floor(transaction.db, shard)
            transaction.add(_DELETE, [(record_id,) for record_id in ids if record_id < floor])

        await self._database.write(work)


def _floor(db: sqlite3.Connection, shard: int) -> int:
    """First offset that some registered group has not committed; the end without groups."""
    row = db.execute(
        "SELECT min(coalesce(next, 0)) FROM offsets WHERE shard = ?", (shard,)
    ).fetchone()
    return end_offset(db, shard)[0] if row[0] is None else int(row[0])
