"""The tables of ``engine.db`` and how older ones become today's.

The format version is SQLite's ``user_version``: the number of migrations that were applied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.errors import FormatError

APPLICATION_ID = 0x74616767
"""Marks the file as ours in SQLite's header ("tagg")."""

OFFSET_BITS = 40
PARTITION_BITS = 12
MAX_PARTITIONS = 1 << PARTITION_BITS
MAX_TOPICS = 1 << (63 - OFFSET_BITS - PARTITION_BITS)

_FIRST = """
-- A record's id is topic, partition and offset in one integer, so a partition is a range of the
-- table's own tree: fetching is one seek and a scan, publishing appends at the range's end.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    key TEXT,
    headers TEXT NOT NULL,
    value BLOB
);
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    retention_s REAL,
    compacted INTEGER NOT NULL
);
-- begin: offset of the oldest record that retention left.
CREATE TABLE partitions (
    shard INTEGER PRIMARY KEY,
    begin INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
);
-- next is NULL from the subscription to the first commit: nothing may be cleaned away before it.
CREATE TABLE offsets (
    group_name TEXT NOT NULL,
    shard INTEGER NOT NULL,
    next INTEGER,
    PRIMARY KEY (group_name, shard)
) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Scripts in order; one that was released is never edited, a change is a new one at the end."""


def migrate(path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Makes the file or brings it to the newest format, in one transaction.

    Raises:
        FormatError: a newer version, or another program, wrote the file.
        sqlite3.Error: it cannot be read or written.
    """
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        if _version(connection, path) > len(migrations):
            raise _newer(path)
        if _version(connection, path) == len(migrations):
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        # Read again under the lock: another process may have migrated in between.
        version = _version(connection, path)
        if version > len(migrations):
            raise _newer(path)
        for script in migrations[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != APPLICATION_ID:
        raise FormatError(f"{path} is a database of another program; name another folder")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _newer(path: Path) -> FormatError:
    return FormatError(
        f"{path} was written by a newer version; upgrade this installation or name another folder"
    )


def _statements(script: str) -> list[str]:
    """Cuts a script at complete statements; ``executescript`` would commit in between."""
    found: list[str] = []
    part = ""
    for piece in script.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            if part.strip(" \n;"):
                found.append(part)
            part = ""
    return found
