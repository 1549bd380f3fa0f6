"""What the SQLite log does beyond the contract, and how it bears bad luck."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.database.database import SqliteDatabase
from core.errors import OutageError, OwnershipLostError, SettingsError
from core.log.port import Message, Record, TopicPartition, TopicSpec
from core.log.sqlite.clean import TOMBSTONE_KEPT_S
from core.log.sqlite.log import SqliteEventLog
from core.log.sqlite.topics import first_id
from tests.contracts.reading import Ears, after, join, numbers, publish, read

ONLY = TopicPartition("line", 0)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "engine.db")


@pytest.fixture
async def log(database: SqliteDatabase, clock: Clock) -> AsyncIterator[SqliteEventLog]:
    log = SqliteEventLog(database, clock)
    await log.create_topics([TopicSpec("line", partitions=1)])
    yield log
    await log.close()


async def everything(log: SqliteEventLog, topic: str = "line") -> list[Record]:
    return [record async for record in log.tail([topic], "earliest", follow=False)]


async def test_cleaning_leaves_no_connection_to_the_thread_it_borrowed(
    log: SqliteEventLog,
) -> None:
    await log.create_topics([TopicSpec("tagged", partitions=2, compacted=True)])
    descriptors = []

    for _ in range(3):
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        await publish(log, "tagged", 20, keys=2)
        await log.maintain()
        descriptors.append(psutil.Process().num_fds())

    assert len(await everything(log, "tagged")) == 2
    assert descriptors == descriptors[:1] * 3


async def test_times_never_fall_within_a_partition(log: SqliteEventLog, clock: Clock) -> None:
    await publish(log, "line", 1)
    clock.now -= 3600

    await publish(log, "line", 1)

    assert [record.timestamp for record in await everything(log)] == [1_000_000_000] * 2


async def test_times_never_fall_across_a_restart(
    log: SqliteEventLog, clock: Clock, tmp_path: Path
) -> None:
    await publish(log, "line", 1)
    await log.close()
    clock.now -= 3600
    again = SqliteEventLog(SqliteDatabase(tmp_path / "engine.db"), clock)

    await publish(again, "line", 1)

    assert [record.timestamp for record in await everything(again)] == [1_000_000_000] * 2
    await again.close()


async def test_two_clients_number_one_partition(
    log: SqliteEventLog, clock: Clock, tmp_path: Path
) -> None:
    other = SqliteEventLog(SqliteDatabase(tmp_path / "engine.db"), clock)

    for n in range(20):
        await (log, other)[n % 2].publish([Message("line", "k", str(n).encode())])

    found = await everything(log)
    assert numbers(found) == list(range(20))
    assert [record.offset for record in found] == list(range(20))
    await other.close()


async def test_an_owner_that_was_overtaken_stops(
    log: SqliteEventLog, tmp_path: Path, database: SqliteDatabase
) -> None:
    ears = Ears()
    older = await log.subscribe("g", ["line"], ears)
    await older.fetch(1, 0)
    # Somebody removed the lock files under a running process.
    for lock in list((tmp_path / "locks").iterdir()):
        lock.unlink()
    newer = await join(log, "g", ["line"])

    with pytest.raises(OwnershipLostError):
        await log.publish([Message("line", "k", b"1")], older.fence)
    with pytest.raises(OwnershipLostError):
        await older.commit({ONLY: 1})
    with pytest.raises(OwnershipLostError):
        await older.fetch(1, 30)

    assert [verb for verb, _ in ears.told] == ["assigned", "revoked"]
    await older.close()
    await newer.commit({ONLY: 0})


async def test_everything_fetched_at_once_stays_under_a_few_megabytes(log: SqliteEventLog) -> None:
    large = bytes(900_000)
    await log.publish([Message("line", "k", large) for _ in range(20)])
    subscription = await log.subscribe("g", ["line"], Ears())

    first = await subscription.fetch(100, 1)
    rest = await subscription.fetch(100, 1)

    assert 1 < len(first) < 20
    assert [record.offset for record in first + rest] == list(range(len(first + rest)))


async def test_an_outage_while_reading_skips_nothing(
    log: SqliteEventLog, database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.create_topics([TopicSpec("wide", partitions=450)])
    await publish(log, "wide", 60, keys=60)
    subscription = await log.subscribe("g", ["wide"], Ears())

    class FailsAtTheSecondQuery:
        def __init__(self, db: sqlite3.Connection) -> None:
            self.db = db
            self.asked = 0

        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            self.asked += 1
            if self.asked == 2:
                raise sqlite3.OperationalError("disk I/O error")
            return self.db.execute(*arguments)

    @contextmanager
    def failing() -> Iterator[Any]:
        with working() as db:
            yield FailsAtTheSecondQuery(db)

    working = database.reading
    with monkeypatch.context() as patch, pytest.raises(OutageError, match="I/O"):
        patch.setattr(database, "reading", failing)
        await subscription.fetch(100, 30)

    assert sorted(numbers(await read(subscription, 60))) == list(range(60))


async def test_a_full_partition_does_not_starve_the_others(log: SqliteEventLog) -> None:
    await log.create_topics([TopicSpec("busy", partitions=1)])
    await publish(log, "busy", 500)
    await publish(log, "line", 3)

    records = await (await log.subscribe("g", ["busy", "line"], Ears())).fetch(50, 1)

    assert len(records) == 50
    assert numbers([record for record in records if record.topic == "line"]) == [0, 1, 2]


async def test_more_partitions_than_one_query_takes(log: SqliteEventLog) -> None:
    await log.create_topics([TopicSpec("wide", partitions=450)])
    await publish(log, "wide", 300, keys=300)

    found = await read(await log.subscribe("g", ["wide"], Ears()), 300, limit=40)

    assert sorted(numbers(found)) == list(range(300))


async def test_old_tombstones_go_but_the_end_stays(log: SqliteEventLog, clock: Clock) -> None:
    await log.create_topics([TopicSpec("products", partitions=1, compacted=True)])
    for key in ("a", "b"):
        await log.publish([Message("products", key, b"1"), Message("products", key, None)])
    await log.maintain()
    young = await everything(log, "products")
    clock.now += TOMBSTONE_KEPT_S + 1

    await log.maintain()

    assert [(record.key, record.offset) for record in young] == [("a", 1), ("b", 3)]
    assert [record.key for record in await everything(log, "products")] == ["b"]
    assert await log.end_offsets(["products"]) == {TopicPartition("products", 0): 4}


async def test_retention_takes_many_steps(log: SqliteEventLog, clock: Clock) -> None:
    await log.create_topics([TopicSpec("line", retention_s=60)])
    await log.publish([Message("line", None, b"1") for _ in range(3_500)])
    clock.now += 61
    await log.publish([Message("line", None, b"2")])

    await log.maintain()

    assert [record.offset for record in await everything(log)] == [3_500]
    assert await log.offsets_at("line", 0) == {ONLY: 3_500}


@pytest.mark.parametrize("partitions", [0, -1, 4097])
async def test_impossible_partition_counts_are_refused(
    log: SqliteEventLog, partitions: int
) -> None:
    with pytest.raises(SettingsError, match="partitions"):
        await log.create_topics([TopicSpec("odd", partitions=partitions)])


async def test_a_negative_offset_is_refused(log: SqliteEventLog) -> None:
    with pytest.raises(SettingsError, match="negative"):
        await log.set_offsets("g", {ONLY: -1})


async def test_group_names_may_look_like_paths(log: SqliteEventLog, tmp_path: Path) -> None:
    await join(log, "../replay/match 2026", ["line"])

    assert len(list((tmp_path / "locks").iterdir())) == 1


async def test_publishing_nothing_and_committing_nothing_is_fine(log: SqliteEventLog) -> None:
    subscription = await join(log, "g", ["line"])

    await log.publish([])
    await subscription.commit({})

    assert await log.end_offsets(["line"]) == {ONLY: 0}


async def test_a_failed_subscribe_lets_go_of_the_group(log: SqliteEventLog) -> None:
    subscribing = asyncio.create_task(log.subscribe("g", ["line"], Ears()))
    await asyncio.sleep(0)
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing

    assert await (await join(log, "g", ["line"])).fetch(1, 0) == []


async def test_the_write_ahead_log_stays_small_while_reading(
    log: SqliteEventLog, tmp_path: Path
) -> None:
    subscription = await log.subscribe("g", ["line"], Ears())
    for _ in range(60):
        await log.publish([Message("line", "k", bytes(20_000)) for _ in range(20)])
        await subscription.commit(after(await subscription.fetch(7, 1)))

    assert (tmp_path / "engine.db-wal").stat().st_size < 25 << 20


@settings(max_examples=15, deadline=None)
@given(
    batches=st.lists(
        st.lists(
            st.builds(
                Message,
                topic=st.just("line"),
                key=st.none() | st.text(max_size=8),
                value=st.none() | st.binary(max_size=64),
                headers=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
            ),
            max_size=300,
        ),
        max_size=5,
    ),
    limit=st.integers(1, 400),
)
def test_whatever_is_published_is_read(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Message]], limit: int
) -> None:
    async def play() -> list[Record]:
        log = SqliteEventLog(SqliteDatabase(tmp_path_factory.mktemp("log") / "engine.db"))
        await log.create_topics([TopicSpec("line", partitions=3)])
        await asyncio.gather(*(log.publish(batch) for batch in batches))
        subscription = await log.subscribe("g", ["line"], Ears())
        found: list[Record] = []
        while records := await subscription.fetch(limit, 0):
            assert len(records) <= limit
            found += records
        await log.close()
        return found

    found = asyncio.run(play())

    def plain(message: Message | Record) -> tuple[object, ...]:
        return message.key, message.value, tuple(message.headers.items())

    sent = [message for batch in batches for message in batch]
    assert sorted(map(repr, map(plain, found))) == sorted(map(repr, map(plain, sent)))
    for key in {message.key for message in sent} - {None}:
        assert [r.value for r in found if r.key == key] == [m.value for m in sent if m.key == key]


def test_a_record_id_holds_the_largest_offset() -> None:
    assert first_id((1 << 23) - 1) + (1 << 40) - 1 == (1 << 63) - 1
