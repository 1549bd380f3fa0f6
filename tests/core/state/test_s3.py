"""What is particular to state in a bucket: order among objects, and blobs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.blobs.s3 import S3BlobStore
from core.errors import OutageError
from core.s3 import S3Connection
from core.state.s3 import S3StateStore
from tests.core.runtime.stages import until
from tests.servers.minio import MinioServer, minio_address
from tests.servers.s3 import connect, place_of


@pytest.fixture
async def connection() -> AsyncIterator[S3Connection]:
    connection = connect(minio_address())
    yield connection
    await connection.close()


async def test_values_can_be_looked_at_in_the_bucket(
    connection: S3Connection, tmp_path: Path
) -> None:
    blobs = await S3BlobStore.open(connection, place_of(tmp_path))
    state = S3StateStore(connection, place_of(tmp_path))

    await state.put([("open/2/m1", b"")])

    assert [found.key async for found in blobs.list("state/")] == ["state/open/2/m1="]


async def test_what_others_put_beside_the_values_is_not_among_them(
    connection: S3Connection, tmp_path: Path
) -> None:
    await connection.ensure_bucket(place_of(tmp_path))
    one = S3StateStore(connection, place_of(tmp_path), "one/")
    other = S3StateStore(connection, place_of(tmp_path), "other/")

    await one.put([("k", b"1")])
    await other.put([("k", b"2")])

    assert await one.scan("") == [("k", b"1")]


async def test_a_key_and_keys_below_it_are_values_of_their_own(
    connection: S3Connection, tmp_path: Path
) -> None:
    await connection.ensure_bucket(place_of(tmp_path))
    state = S3StateStore(connection, place_of(tmp_path))

    await state.put([("a/b/c", b"3"), ("a", b"1"), ("a/b", b"2")])

    assert await state.scan("a") == [("a", b"1"), ("a/b", b"2"), ("a/b/c", b"3")]
    await state.delete(["a/b"])
    assert await state.keys("") == ["a", "a/b/c"]


async def test_a_crash_of_the_server_leaves_the_first_items(tmp_path: Path) -> None:
    server = MinioServer(tmp_path)
    server.start()
    connection = connect(server.address)
    try:
        await connection.ensure_bucket("bucket")
        state = S3StateStore(connection, "bucket")
        items = [(f"part/{n:05d}", b"value") for n in range(20_000)]

        put = asyncio.create_task(state.put(items))

        async def has_begun() -> bool:
            return len(await state.keys("")) > 10

        await until(has_begun)
        server.kill()
        with pytest.raises(OutageError):
            await put
        server.start()

        kept = await state.scan("")
        assert 10 <= len(kept) < len(items)
        assert kept == items[: len(kept)]
    finally:
        await connection.close()
        server.kill()
