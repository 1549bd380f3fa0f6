"""The topics of the embedded log, and the ids under which their records are kept.

A *shard* is a partition's number in the whole database; its records are the ids
``first_id(shard) <= id < first_id(shard + 1)``, in the order of their offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.database.database import SqliteDatabase
from core.database.schema import MAX_PARTITIONS, MAX_TOPICS, OFFSET_BITS, PARTITION_BITS
from core.database.transaction import Transaction
from core.errors import SettingsError
from core.log.port import TopicPartition, TopicSpec


class Topic(NamedTuple):
    """``base`` is the shard of partition 0; the others follow."""

    base: int
    partitions: int


def first_id(shard: int) -> int:
    return shard << OFFSET_BITS


def offset_of(record_id: int) -> int:
    return record_id & (1 << OFFSET_BITS) - 1


class Topics:
    """Answers from memory: a topic once made keeps its partitions."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._known: dict[str, Topic] = {}

    def get(self, name: str) -> Topic:
        """Raises SettingsError if there is no such topic."""
        topic = self._known.get(name)
        if topic is None:
            with self._database.reading() as db:
                rows = db.execute("SELECT name, id, partitions FROM topics").fetchall()
            self._known = {row[0]: Topic(row[1] << PARTITION_BITS, row[2]) for row in rows}
            topic = self._known.get(name)
        if topic is None:
            raise SettingsError(f"there is no topic {name!r}; create it before it is used")
        return topic

    def shard(self, tp: TopicPartition) -> int:
        """Raises SettingsError if there is no such partition."""
        topic = self.get(tp.topic)
        if not 0 <= tp.partition < topic.partitions:
            raise SettingsError(f"topic {tp.topic!r} has {topic.partitions} partitions, no {tp}")
        return topic.base + tp.partition

    def shards(self, names: Iterable[str]) -> dict[TopicPartition, int]:
        """All partitions of these topics."""
        found: dict[TopicPartition, int] = {}
        for name in names:
            topic = self.get(name)
            for partition in range(topic.partitions):
                found[TopicPartition(name, partition)] = topic.base + partition
        return found

    def specs(self) -> dict[str, TopicSpec]:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT name, partitions, retention_s, compacted FROM topics ORDER BY id"
            ).fetchall()
        return {row[0]: TopicSpec(row[0], row[1], row[2], bool(row[3])) for row in rows}

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        """Makes the missing ones; for the others takes over how long records are kept."""
        for spec in specs:
            if not spec.name or not 1 <= spec.partitions <= MAX_PARTITIONS:
                raise SettingsError(
                    f"topic {spec.name!r} wants {spec.partitions} partitions; "
                    f"give it a name and 1 to {MAX_PARTITIONS} partitions"
                )
        await self._database.write(lambda transaction: _create(transaction, specs))


def _create(transaction: Transaction, specs: Sequence[TopicSpec]) -> None:
    db = transaction.db
    for spec in specs:
        keep = (spec.retention_s, spec.compacted, spec.name)
        if db.execute(
            "UPDATE topics SET retention_s = ?, compacted = ? WHERE name = ?", keep
        ).rowcount:
            continue
        topic: int = db.execute("SELECT coalesce(max(id), -1) + 1 FROM topics").fetchone()[0]
        if topic >= MAX_TOPICS:
            raise SettingsError(f"the log holds {MAX_TOPICS} topics, no more can be made")
        db.execute(
            "INSERT INTO topics (id, name, partitions, retention_s, compacted) "
            "VALUES (?, ?, ?, ?, ?)",
            (topic, spec.name, spec.partitions, spec.retention_s, spec.compacted),
        )
        db.executemany(
            "INSERT INTO partitions (shard) VALUES (?)",
            [((topic << PARTITION_BITS) + partition,) for partition in range(spec.partitions)],
        )
