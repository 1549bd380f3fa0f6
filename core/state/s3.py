"""The state store of a cluster: one object per key, in a bucket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from itertools import islice

from minio import Minio
from minio.error import S3Error

from core.s3 import S3Connection, is_missing, remove
from core.state.s3_keys import key_of, name_prefix, object_name

_FETCHED_AT_ONCE = 500


class S3StateStore:
    """A ``StateStore`` that the processes of many hosts share.

    A value appears whole and is as durable as the server makes what it acknowledges. How keys
    become names is described in ``core.state.s3_keys``.

    After an outage or a cancellation nobody knows what became of the request under way; the server
    may even carry it out later. So a caller that tries again puts the same values again, or others
    that may come in any order with them.

    Args:
        connection: stays open when this is closed; it belongs to the caller.
        prefix: what the names of all objects start with; ends in ``/``.
    """

    def __init__(self, connection: S3Connection, bucket: str, prefix: str = "state/") -> None:
        self._connection = connection
        self._bucket = bucket
        self._root = prefix

    async def get(self, key: str) -> bytes | None:
        return await self._fetch(object_name(key, self._root))

    async def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """One round trip after the other: an item may be relied on to be there as soon as a later
        one is. Items that need no order are put by calls beside each other."""
        named = [(object_name(key, self._root), value) for key, value in items]
        for name, value in named:
            await self._store(name, value)

    async def delete(self, keys: Sequence[str]) -> None:
        names = [object_name(key, self._root) for key in keys]
        await self._connection.call(lambda client: remove(client, self._bucket, names))

    async def keys(self, prefix: str) -> list[str]:
        return sorted(await self._names(prefix))

    async def page(
        self, prefix: str, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        """In the order of the objects' names; ``after`` is one."""
        start = name_prefix(prefix, self._root)
        if start is None:
            return [], None

        def job(client: Minio) -> list[str]:
            listing = client.list_objects(
                self._bucket, prefix=start, recursive=True, start_after=after
            )
            return [entry.object_name or "" for entry in islice(listing, limit)]

        names = await self._connection.call(job)
        keys = [key for name in names if (key := key_of(name, self._root)) is not None]
        return keys, names[-1] if len(names) == limit else None

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Fetches many values at once. One that is deleted meanwhile is left out."""
        found = sorted((await self._names(prefix)).items())
        values: list[bytes | None] = []
        for start in range(0, len(found), _FETCHED_AT_ONCE):
            names = [name for _, name in found[start : start + _FETCHED_AT_ONCE]]
            values += await asyncio.gather(*(self._fetch(name) for name in names))
        pairs = zip(found, values, strict=True)
        return [(key, value) for (key, _), value in pairs if value is not None]

    async def close(self) -> None:
        """Nothing is held here."""

    async def _fetch(self, name: str) -> bytes | None:
        def job(client: Minio) -> bytes | None:
            try:
                with client.get_object(self._bucket, name) as response:
                    return response.read()
            except S3Error as error:
                if is_missing(error):
                    return None
                raise

        return await self._connection.call(job)

    async def _store(self, name: str, value: bytes) -> None:
        await self._connection.call(
            lambda client: client.put_object(self._bucket, name, io.BytesIO(value), len(value))
        )

    async def _names(self, prefix: str) -> dict[str, str]:
        """Keys that start with the prefix, and the names of their objects."""
        start = name_prefix(prefix, self._root)
        if start is None:
            return {}

        def job(client: Minio) -> dict[str, str]:
            listing = client.list_objects(self._bucket, prefix=start, recursive=True)
            names = [entry.object_name or "" for entry in listing]
            keys = ((key_of(name, self._root), name) for name in names)
            return {key: name for key, name in keys if key is not None}

        return await self._connection.call(job)
