"""Reading the embedded log: records from positions, and where partitions begin and end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache

from core.database.schema import OFFSET_BITS
from core.log.port import Record, TopicPartition
from core.log.sqlite.topics import first_id, offset_of

_MOST_BYTES = 8 << 20
_MOST_PARTITIONS = 200
_RANGE = (
    "SELECT * FROM (SELECT id, time, key, headers, value FROM records "
    "WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)"
)
_decode = json.JSONDecoder().decode


class Cursor:
    """How far reading has come in one partition.

    Attributes:
        position: id of the next record to read.
        stop: id at which reading ends.
    """

    __slots__ = ("position", "shard", "stop", "tp")

    def __init__(self, tp: TopicPartition, shard: int, offset: int, end: int | None = None) -> None:
        self.tp = tp
        self.shard = shard
        self.position = first_id(shard) + offset
        self.stop = first_id(shard + 1) if end is None else first_id(shard) + end


def read(db: sqlite3.Connection, cursors: Sequence[Cursor], limit: int) -> list[Record]:
    """Up to ``limit`` records or 8 MiB of values, and advances the cursors.

    Each partition may give an equal share; what some leave, those with more records fill.
    """
    records: list[Record] = []
    if not cursors or limit < 1:
        return records
    positions = [cursor.position for cursor in cursors]
    try:
        share = max(1, limit // len(cursors))
        rest = _read_share(db, cursors, share, limit, records)
        if rest and len(records) < limit:
            _read_share(db, rest, limit, limit, records)
    except BaseException:
        # What was read so far is not returned, so it has to be read again.
        for cursor, position in zip(cursors, positions, strict=True):
            cursor.position = position
        raise
    return records


def _read_share(
    db: sqlite3.Connection,
    cursors: Sequence[Cursor],
    share: int,
    limit: int,
    records: list[Record],
) -> list[Cursor]:
    """Adds up to ``share`` records per partition; returns the partitions that may hold more."""
    given: dict[int, int] = {}
    size = 0
    for start in range(0, len(cursors), _MOST_PARTITIONS):
        if len(records) == limit:
            break
        some = {cursor.shard: cursor for cursor in cursors[start : start + _MOST_PARTITIONS]}
        arguments: list[int] = []
        for cursor in some.values():
            arguments += (cursor.position, cursor.stop, share)
        arguments.append(limit - len(records))
        with closing(db.execute(_ranges(len(some)), arguments)) as rows:
            for record_id, time, key, headers, value in rows:
                shard = record_id >> OFFSET_BITS
                cursor = some[shard]
                offset = offset_of(record_id)
                records.append(Record(cursor.tp, offset, time, key, value, _decode(headers)))
                cursor.position = record_id + 1
                given[shard] = given.get(shard, 0) + 1
                size += len(value or b"")
                if size > _MOST_BYTES:
                    return []
    return [cursor for cursor in cursors if given.get(cursor.shard) == share]


@lru_cache(maxsize=256)
def _ranges(count: int) -> str:
    return " UNION ALL ".join([_RANGE] * count) + " LIMIT ?"


def begin_offset(db: sqlite3.Connection, shard: int) -> int:
    """Offset of the oldest record that retention left."""
    row = db.execute("SELECT begin FROM partitions WHERE shard = ?", (shard,)).fetchone()
    return int(row[0])


def end_offset(db: sqlite3.Connection, shard: int) -> tuple[int, int]:
    """Offset of the next record, and the time of the last one (0 if there is none)."""
    row = db.execute(
        "SELECT id, time FROM records WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1",
        (first_id(shard), first_id(shard + 1)),
    ).fetchone()
    if row is None:
        # Cleaning took all of them, or there never was one.
        return begin_offset(db, shard), 0
    return offset_of(row[0]) + 1, row[1]


def offset_at(db: sqlite3.Connection, shard: int, timestamp: int) -> int:
    """First offset at or after a time, by halving: within a partition times never fall."""
    low, high = begin_offset(db, shard), end_offset(db, shard)[0]
    while low < high:
        middle = (low + high) // 2
        row = db.execute(
            "SELECT id, time FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (first_id(shard) + middle, first_id(shard) + high),
        ).fetchone()
        if row is None or row[1] >= timestamp:
            high = middle
        else:
            low = offset_of(row[0]) + 1
    return low
