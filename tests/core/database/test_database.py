from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.database.schema import APPLICATION_ID, MIGRATIONS
from core.database.transaction import Bulk, Transaction
from core.database.writer import Work
from core.errors import FormatError, OutageError, TaggingError
from core.log.sqlite.log import SqliteEventLog
from core.state.sqlite import SqliteStateStore
from tests.small_disk import small_disk, use_up_inodes

_PUT = Bulk("state", "INSERT INTO state (key, value) VALUES", "(?,?)")
SECOND = "CREATE TABLE colours (name TEXT); INSERT INTO colours VALUES ('a;b');"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "engine.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(path)
    database.retain()
    yield database
    database.release()


def put(key: str, value: object = b"") -> Work[None]:
    return lambda transaction: transaction.add(_PUT, [(key, value)])


def keys(database: SqliteDatabase) -> list[str]:
    with database.reading() as db:
        return [row[0] for row in db.execute("SELECT key FROM state ORDER BY key")]


async def test_every_commit_is_synced(database: SqliteDatabase) -> None:
    def ask(transaction: Transaction) -> tuple[object, ...]:
        names = ("synchronous", "journal_mode", "fullfsync")
        return tuple(transaction.db.execute(f"PRAGMA {n}").fetchone()[0] for n in names)

    full, write_ahead, mac_full = 2, "wal", 1
    assert await database.write(ask) == (full, write_ahead, mac_full)


async def test_writes_that_wait_share_a_transaction(database: SqliteDatabase) -> None:
    inside, go = threading.Event(), threading.Event()
    seen: set[int] = set()

    def block(transaction: Transaction) -> None:
        inside.set()
        go.wait(30)

    blocked = asyncio.create_task(database.write(block))
    await asyncio.to_thread(inside.wait, 30)
    waiting = [
        asyncio.create_task(database.write(lambda transaction: seen.add(id(transaction))))
        for _ in range(50)
    ]
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.gather(blocked, *waiting)

    assert len(seen) == 1


async def test_a_write_that_fails_leaves_its_neighbours_alone(database: SqliteDatabase) -> None:
    def fails(transaction: Transaction) -> None:
        transaction.add(_PUT, [("never", b"")])
        raise TaggingError("no")

    results = await asyncio.gather(
        database.write(put("a")),
        database.write(fails),
        database.write(put("b")),
        database.write(put("unbindable", object())),
        database.write(put("b")),
        return_exceptions=True,
    )

    assert keys(database) == ["a", "b"]
    assert [type(result) for result in results] == [
        type(None),
        TaggingError,
        type(None),
        sqlite3.ProgrammingError,
        sqlite3.IntegrityError,
    ]


async def test_rows_of_one_table_keep_their_order(database: SqliteDatabase) -> None:
    delete = Bulk("state", "DELETE FROM state WHERE key IN (VALUES", "(?)", ")")

    def work(transaction: Transaction) -> None:
        transaction.add(_PUT, [(f"k{n:03d}", b"") for n in range(300)])
        transaction.add(delete, [(f"k{n:03d}",) for n in range(299)])
        transaction.add(_PUT, [("k000", b"again")])

    await database.write(work)

    assert keys(database) == ["k000", "k299"]


async def test_a_full_disk_is_an_outage_that_passes(database: SqliteDatabase) -> None:
    def pages(most: int) -> Work[None]:
        return lambda transaction: transaction.db.execute(f"PRAGMA max_page_count={most}").close()

    await database.write(put("before"))
    await database.write(pages(1))  # SQLite takes the present size instead

    with pytest.raises(OutageError, match="full"):
        await database.write(put("large", bytes(500_000)))
    await database.write(pages(1_000_000))
    await database.write(put("after"))

    assert keys(database) == ["after", "before"]


async def test_a_lock_that_stays_is_an_outage(
    database: SqliteDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(
        lambda transaction: transaction.db.execute("PRAGMA busy_timeout=50").close()
    )
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(OutageError, match="locked"):
        await database.write(put("a"))
    blocker.execute("ROLLBACK")
    await database.write(put("b"))

    blocker.close()
    assert keys(database) == ["b"]


async def test_a_cancelled_write_takes_nobody_with_it(database: SqliteDatabase) -> None:
    cancelled = asyncio.create_task(database.write(put("perhaps")))
    await asyncio.sleep(0)
    cancelled.cancel()

    await database.write(put("surely"))

    assert "surely" in keys(database)


def test_an_older_format_is_migrated(path: Path) -> None:
    older = SqliteDatabase(path)
    older.retain()
    asyncio.run(older.write(put("kept")))
    older.release()

    newer = SqliteDatabase(path, [*MIGRATIONS, SECOND])
    newer.retain()

    assert keys(newer) == ["kept"]
    with newer.reading() as db:
        assert db.execute("SELECT name FROM colours").fetchall() == [("a;b",)]
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    newer.release()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    _open_and_close(path)

    with pytest.raises(OutageError, match="colours"):
        SqliteDatabase(path, [*MIGRATIONS, SECOND, "INSERT INTO colours VALUES (1, 2)"])

    _open_and_close(path)
    _open_and_close(path, SECOND)


def test_a_newer_format_is_refused(path: Path) -> None:
    _open_and_close(path, SECOND)

    with pytest.raises(FormatError, match="newer version"):
        SqliteDatabase(path)


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()

    with pytest.raises(FormatError, match="another program"):
        SqliteDatabase(path)


def test_a_file_that_is_no_database_is_an_outage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to look at " * 50)

    with pytest.raises(OutageError, match="not a database"):
        SqliteDatabase(path)


def test_the_file_says_whose_it_is(path: Path) -> None:
    _open_and_close(path)

    assert path.read_bytes()[68:72] == APPLICATION_ID.to_bytes(4, "big")


async def test_the_last_user_closes_everything(path: Path) -> None:
    gc.collect()  # what tests before this one left open is not ours to count
    threads, files = threading.active_count(), _open_files()
    database = SqliteDatabase(path)
    log, state = SqliteEventLog(database), SqliteStateStore(database)
    following = asyncio.create_task(anext(aiter(log.tail([], "earliest", follow=True)), None))
    await asyncio.sleep(0.05)

    await log.close()
    await state.put([("still", b"works")])
    await state.close()

    assert await following is None
    assert not [t.name for t in threading.enumerate() if t.name.startswith("log-")]
    assert threading.active_count() <= threads + 1  # the loop keeps a thread of its pool
    assert _open_files() == files
    with pytest.raises(OutageError, match="closed"):
        await state.put([("no", b"more")])
    with pytest.raises(OutageError, match="closed"):
        await state.get("still")


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def _open_and_close(path: Path, *more: str) -> None:
    database = SqliteDatabase(path, [*MIGRATIONS, *more])
    database.retain()
    database.release()


async def test_a_disk_without_inodes_is_the_reason_given(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=60") as disk:
        (disk / "data").mkdir()
        use_up_inodes(disk / "many")

        with pytest.raises(OutageError, match=r"cannot open .*no inodes left"):
            SqliteDatabase(disk / "data" / "engine.db")
