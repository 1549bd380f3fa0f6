"""``engine.db``: one SQLite file for the event log and the state store of one machine.

Write-ahead log with ``synchronous=FULL``: what was acknowledged survives a crash and a power loss.
Any number of processes may have it open; each has one thread that writes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from core.database.bell import Bell
from core.database.schema import MIGRATIONS, migrate
from core.database.writer import Work, Writer, outage
from core.errors import OutageError
from core.files.durable import make_folder
from core.files.private import private_file
from core.files.space import shortage

T = TypeVar("T")

_BUSY_S = 10.0
_CHECKPOINT_PAGES = 4_000
_JOURNAL_BYTES = 64 << 20
_CACHE_KIB = 16_384
_ASIDE_CACHE_KIB = 1_024


class SqliteDatabase:
    """Connections, the writer and the bell. Ends with the last of those that ``retain`` it.

    Reading is done where it is called, on the event loop, too: a bounded read takes 2 us per row,
    and handing it to a thread would cost more in switches than it saves. So callers that read much
    read it in pages.
    """

    def __init__(self, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Makes or migrates the file.

        Raises:
            FormatError: a newer version wrote it.
            OutageError: it cannot be read or written.
        """
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._gate = threading.Lock()
        self._users = 0
        self._closed = False
        try:
            _make_file(path)
            migrate(path, migrations)
            self.bell = Bell(path.parent / "wake", self._changes)
            self._writer = Writer(self._connect, self.bell, path.parent)
        except (OSError, sqlite3.Error) as error:
            raise OutageError(f"cannot open {path}: {error}{shortage(path.parent)}") from error

    def retain(self) -> None:
        """Counts one more user; each calls ``release`` once."""
        with self._gate:
            self._users += 1

    def release(self) -> None:
        """Closes everything when the last user leaves; waits for what is being written."""
        with self._gate:
            self._users -= 1
            if self._users > 0 or self._closed:
                return
            self._closed = True
        self._writer.close()
        self.bell.close()
        with self._gate:
            for connection in self._connections:
                connection.close()

    async def write(self, work: Work[T]) -> T:
        """Runs ``work`` in the writer's next transaction; durable on return. See ``Writer``."""
        return await self._writer.write(work)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection for reading; finish every cursor inside.

        An open cursor holds on to a snapshot, and the write-ahead log grows until it is closed.
        """
        try:
            yield self._reader()
        except sqlite3.DatabaseError as error:
            raise outage(error, self.path.parent) from error

    @contextmanager
    def reading_aside(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, closed in the end: for one long read on a borrowed thread. Any
        thread of a pool may be lent, and each would keep a connection, with its cache, for good."""
        try:
            with closing(self._query_only()) as connection:
                # It reads every page once: what it remembered would only be memory to find.
                connection.execute(f"PRAGMA cache_size=-{_ASIDE_CACHE_KIB}").close()
                yield connection
        except sqlite3.DatabaseError as error:
            raise outage(error, self.path.parent) from error

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with self._gate:
                connection = self._local.connection = self._query_only()
                self._connections.append(connection)
        return connection

    def _query_only(self) -> sqlite3.Connection:
        if self._closed:
            raise OutageError("the data folder's database is closed")
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _changes(self) -> int:
        try:
            with self.reading() as db:
                version: int = db.execute("PRAGMA data_version").fetchone()[0]
        except OutageError:
            return -1
        return version

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            # macOS acknowledges fsync before the disk has the data, unless told otherwise.
            "fullfsync=ON",
            "checkpoint_fullfsync=ON",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"journal_size_limit={_JOURNAL_BYTES}",
            f"cache_size=-{_CACHE_KIB}",
            "temp_store=FILE",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection


def _make_file(path: Path) -> None:
    """For its owner alone; SQLite makes the files beside it like it."""
    make_folder(path.parent)
    if not path.exists():
        os.close(private_file(str(path), os.O_RDWR | os.O_CREAT))
