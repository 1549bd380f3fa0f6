"""The state store of one machine, in the same database file as its event log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from core.database.database import SqliteDatabase
from core.database.transaction import Bulk, Transaction
from core.state.keys import check_key

_PAGE = 500
_RANGE = "WHERE key >= ? AND key < ? || CAST(x'FF' AS TEXT) ORDER BY key"
"""From a key on, no further than a prefix goes: what starts with it is less than the prefix and a
byte that no UTF-8 has."""
_PUT = Bulk(
    "state",
    "INSERT INTO state (key, value) VALUES",
    "(?,?)",
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
)
_DELETE = Bulk("state", "DELETE FROM state WHERE key IN (VALUES", "(?)", ")")


class SqliteStateStore:
    """A ``StateStore``; a call's items are stored all or none, durable on return."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._closed = False
        database.retain()

    async def get(self, key: str) -> bytes | None:
        check_key(key)
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    async def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        for key, _ in items:
            check_key(key)

        def work(transaction: Transaction) -> None:
            transaction.add(_PUT, items)

        if items:
            await self._database.write(work)

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)

        def work(transaction: Transaction) -> None:
            transaction.add(_DELETE, [(key,) for key in keys])

        if keys:
            await self._database.write(work)

    async def keys(self, prefix: str) -> list[str]:
        found = await self._range("SELECT key FROM state", prefix)
        return [key for (key,) in found]

    async def page(
        self, prefix: str, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        """In the order of the keys."""
        start = prefix if after is None else f"{after}\0"
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT key FROM state {_RANGE} LIMIT ?",  # noqa: S608  # a constant
                (start, prefix, limit),
            ).fetchall()
        found = [key for (key,) in rows]
        return found, found[-1] if len(found) == limit else None

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        found = await self._range("SELECT key, value FROM state", prefix)
        return [(key, value) for key, value in found]

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._database.release)

    async def _range(self, select: str, prefix: str) -> list[tuple[Any, ...]]:
        """Page by page, so that a long list holds up nobody else on the loop."""
        found: list[tuple[Any, ...]] = []
        after = prefix
        order = f"{select} {_RANGE} LIMIT {_PAGE}"
        while True:
            with self._database.reading() as db:
                page = db.execute(order, (after, prefix)).fetchall()
            found += page
            if len(page) < _PAGE:
                return found
            after = f"{found[-1][0]}\0"
            await asyncio.sleep(0)
