"""The one thread that writes ``engine.db``; all that waits goes into one transaction.

So single writes by many callers share one fsync (group commit), the cost of a durable write.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from core.database.bell import Bell
from core.database.transaction import Transaction
from core.errors import OutageError
from core.files.space import shortage

T = TypeVar("T")
Work = Callable[[Transaction], T]

_MOST_JOBS = 2_000
_ROW_AT_FAULT = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


def outage(error: Exception, folder: Path) -> OutageError:
    lacks = shortage(folder)
    return OutageError(f"the data folder's database cannot be used: {error}{lacks}")


class _Job:
    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Runs jobs in the order they came; its thread ends with ``close``."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], bell: Bell, folder: Path) -> None:
        self._connection = connect()
        self._folder = folder
        self._bell = bell
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._memories: dict[object, object] = {}
        self._version = -1
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Work[T]) -> T:
        """Runs ``work`` in the next transaction; on return what it did is durable.

        ``work`` may run more than once, if the transaction it was part of is taken back, and may
        run although its caller was cancelled. What it raises is raised here, and then it wrote
        nothing.
        """
        job = _Job(work, asyncio.get_running_loop())
        with self._gate:
            if self._closed:
                raise OutageError("the data folder's database is closed")
            self._queue.put(job)
        return cast("T", await job.future)

    def close(self) -> None:
        """Writes what waits, then ends the thread; returns when it has ended."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            jobs, going = self._take()
            rung = self._perform(jobs)
            self._tell(jobs, rung)
        self._connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            if not job.future.cancelled():
                jobs.append(job)
            if len(jobs) == _MOST_JOBS:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _perform(self, jobs: list[_Job]) -> set[str]:
        """Gives each job its result or error; returns the channels to ring."""
        pending = list(jobs)
        while pending:
            current: _Job | None = None
            try:
                transaction = self._begin()
                for current in pending:
                    current.result = current.work(transaction)
                current = None
                transaction.flush()
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._take_back()
                return _refuse(pending, error, self._folder)
            except Exception as error:
                self._take_back()
                if current is not None:
                    # The others are done again without the one that failed.
                    _refuse([current], error, self._folder)
                    pending.remove(current)
                elif len(pending) > 1:
                    # Somebody's row is at fault: alone, each answers for its own.
                    return set().union(*(self._perform([job]) for job in pending))
                else:
                    return _refuse(pending, error, self._folder)
            else:
                return transaction.rung
        return set()

    def _begin(self) -> Transaction:
        self._connection.execute("BEGIN IMMEDIATE")
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._memories.clear()
            self._version = version
        return Transaction(self._connection, self._memories)

    def _take_back(self) -> None:
        self._memories.clear()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return  # SQLite has rolled back by itself (disk full, I/O error)

    def _tell(self, jobs: list[_Job], rung: set[str]) -> None:
        # One call per loop however many wait: each writes to the loop's pipe.
        calls: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
        for job in jobs:
            calls.setdefault(job.loop, []).append(job.settle)
        for alarm in self._bell.ring(rung):
            calls.setdefault(alarm.loop, []).append(alarm.set)
        for loop, waiting in calls.items():
            try:
                loop.call_soon_threadsafe(_call_all, waiting)
            except RuntimeError:
                continue  # the loop is closed: nobody waits any more


def _refuse(jobs: list[_Job], error: Exception, folder: Path) -> set[str]:
    away = isinstance(error, sqlite3.Error) and not isinstance(error, _ROW_AT_FAULT)
    for job in jobs:
        job.error = outage(error, folder) if away else error
    return set()


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()
