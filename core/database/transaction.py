"""One write transaction, and the rows that its jobs add to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar, cast

M = TypeVar("M")
Row = tuple[Any, ...]

_CHUNK = 128


class Bulk:
    """A statement that takes many rows at once: ``head`` (row), (row), ... ``tail``.

    One call into SQLite instead of one per row, because each gives up the interpreter lock, and
    beside a busy event loop takes up to 5 ms to get it back.
    """

    def __init__(self, table: str, head: str, row: str, tail: str = "") -> None:
        self.table = table
        self._head = head
        self._row = row
        self._tail = tail
        self._texts: dict[int, str] = {}

    def run(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        start = 0
        while start < len(rows):
            # Powers of two keep the prepared statements few enough to stay prepared.
            size = min(_CHUNK, 1 << (len(rows) - start).bit_length() - 1)
            chunk = rows[start : start + size]
            db.execute(self._text(size), list(chain.from_iterable(chunk)))
            start += size

    def _text(self, size: int) -> str:
        if size not in self._texts:
            rows = ",".join([self._row] * size)
            self._texts[size] = f"{self._head} {rows} {self._tail}"
        return self._texts[size]


class Transaction:
    """What a job writes through; all jobs of a transaction become durable together.

    Attributes:
        db: for reading, and for writes that are rare; sees what ``add`` holds only after ``flush``.
        rung: channels whose listeners are woken once the transaction is durable.
    """

    def __init__(self, db: sqlite3.Connection, memories: dict[object, object]) -> None:
        self.db = db
        self.rung: set[str] = set()
        self._memories = memories
        self._added: dict[str, tuple[Bulk, list[Row]]] = {}

    def add(self, bulk: Bulk, rows: Iterable[Row]) -> None:
        """Holds rows back to write many at once; a table's rows are written in the given order."""
        held = self._added.get(bulk.table)
        if held is not None and held[0] is bulk:
            held[1].extend(rows)
            return
        if held is not None:
            held[0].run(self.db, held[1])
        self._added[bulk.table] = (bulk, list(rows))

    def flush(self) -> None:
        for bulk, rows in self._added.values():
            bulk.run(self.db, rows)
        self._added.clear()

    def memory(self, make: Callable[[], M]) -> M:
        """What jobs remember between transactions: made anew whenever it may have become wrong,

        that is after another connection wrote, and after a transaction was taken back.
        """
        if make not in self._memories:
            self._memories[make] = make()
        return cast("M", self._memories[make])
