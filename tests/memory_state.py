"""A state store in memory; ``away`` makes every call an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from core.errors import OutageError
from core.state.keys import check_key


class MemoryStateStore:
    """Several stores over the same ``values`` are clients of one."""

    def __init__(self, values: dict[str, bytes] | None = None) -> None:
        self.values = {} if values is None else values
        self.away = False

    async def get(self, key: str) -> bytes | None:
        await self._enter(key)
        return self.values.get(key)

    async def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        await self._enter(*(key for key, _ in items))
        self.values.update(items)

    async def delete(self, keys: Sequence[str]) -> None:
        await self._enter(*keys)
        for key in keys:
            self.values.pop(key, None)

    async def keys(self, prefix: str) -> list[str]:
        return [key for key, _ in await self.scan(prefix)]

    async def page(
        self, prefix: str, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        keys = [key for key in await self.keys(prefix) if after is None or key > after]
        return keys[:limit], keys[limit - 1] if len(keys) > limit else None

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        await self._enter()
        return sorted(item for item in self.values.items() if item[0].startswith(prefix))

    async def close(self) -> None:
        """Leaves the values to other clients."""

    async def _enter(self, *keys: str) -> None:
        for key in keys:
            check_key(key)
        await asyncio.sleep(0)
        if self.away:
            raise OutageError("the in-memory store is away")
