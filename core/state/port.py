"""Small keyed values that outlive a process: parts of results, frame lists, ledgers, attempts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class StateStore(Protocol):
    """Keys are ``/``-separated text, values small bytes (under a megabyte).

    Every call raises OutageError while the store cannot be reached or written, and
    InvalidKeyError for an empty key or one with empty, ``.`` or ``..`` segments.
    """

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Stores in the given order; durable on return. A crash may leave a prefix of the items."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes what is there; a missing key is no error."""
        ...

    async def keys(self, prefix: str) -> list[str]:
        """Keys that start with ``prefix``, sorted."""
        ...

    async def page(
        self, prefix: str, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        """Up to ``limit`` of the keys that start with ``prefix``, in an order of the store's own;
        the second value goes into the next ``after``, and is None behind the last page.

        A key that stays where it is comes once. One that is put or deleted between two pages may
        or may not.
        """
        ...

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Keys and values that start with ``prefix``, sorted by key."""
        ...

    async def close(self) -> None: ...
