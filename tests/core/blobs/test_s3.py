"""What is particular to blobs in a bucket: parts, copies, and a server that may die meanwhile."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.blobs.port import Blob
from core.blobs.s3 import S3BlobStore
from core.errors import OutageError
from core.files.scratch import Scratch
from core.s3 import S3Connection
from tests.core.runtime.stages import until
from tests.servers.minio import MinioServer, minio_address
from tests.servers.s3 import connect, place_of

_MIB = 1 << 20


@pytest.fixture
async def connection() -> AsyncIterator[S3Connection]:
    connection = connect(minio_address())
    yield connection
    await connection.close()


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    scratch = Scratch(tmp_path / "scratch")
    yield scratch
    scratch.close()


@pytest.fixture
async def blobs(connection: S3Connection, scratch: Scratch, tmp_path: Path) -> S3BlobStore:
    return await S3BlobStore.open(connection, place_of(tmp_path), scratch)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """64 MiB, of which no two are alike."""
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        for number in range(64):
            file.write(bytes([number]) * _MIB)
    return path


def _copies(scratch: Scratch) -> list[str]:
    return [path.name for path in scratch.path.rglob("*") if path.name != "lock"]


async def test_a_film_goes_in_and_out_without_being_in_memory(
    blobs: S3BlobStore, film: Path
) -> None:
    tracemalloc.start()
    try:
        await blobs.put([Blob("media/film.mp4", film, "video/mp4")])
        async with blobs.local("media/film.mp4") as path:
            _, peak = tracemalloc.get_traced_memory()
            copied, wanted = path.open("rb"), film.open("rb")
            with copied, wanted:
                assert all(copied.read(_MIB) == wanted.read(_MIB) for _ in range(65))
    finally:
        tracemalloc.stop()

    assert peak < film.stat().st_size / 2


async def test_a_local_file_has_the_blobs_name_and_goes_with_its_reader(
    blobs: S3BlobStore, scratch: Scratch
) -> None:
    await blobs.put([Blob("media/ab/photo.jpg", b"pixels", "image/jpeg")])

    async with blobs.local("media/ab/photo.jpg") as path:
        assert path.name == "photo.jpg"
        assert path.is_relative_to(scratch.path)

    with pytest.raises(ValueError, match="the reader's"):
        async with blobs.local("media/ab/photo.jpg"):
            raise ValueError("the reader's")
    assert _copies(scratch) == []


async def test_no_room_for_a_copy_is_an_outage(blobs: S3BlobStore, scratch: Scratch) -> None:
    await blobs.put([Blob("a.jpg", b"pixels", "image/jpeg")])
    scratch.close()

    with pytest.raises(OutageError, match=str(scratch.path)):
        async with blobs.local("a.jpg"):
            pass


async def test_a_source_that_is_no_file_is_not_the_servers_trouble(
    blobs: S3BlobStore, tmp_path: Path
) -> None:
    with pytest.raises(IsADirectoryError):
        await blobs.put([Blob("a.mp4", tmp_path, "video/mp4")])

    assert await blobs.stat("a.mp4") is None


async def test_many_blobs_in_one_call_are_all_stored(blobs: S3BlobStore) -> None:
    await blobs.put([Blob(f"crops/{n}.png", bytes([n]), "image/png") for n in range(200)])

    assert await blobs.get("crops/199.png") == b"\xc7"
    assert len([found async for found in blobs.list("crops/")]) == 200


async def test_an_upload_cut_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    server = MinioServer(tmp_path)
    server.start()
    connection = connect(server.address)
    try:
        blobs = await S3BlobStore.open(connection, "bucket")
        await blobs.put([Blob("old.mp4", b"old", "video/mp4")])
        huge = tmp_path / "huge.mp4"
        with huge.open("wb") as file:
            file.truncate(2 << 30)  # of zeros that take no room

        puts = [
            asyncio.create_task(blobs.put([Blob(key, huge, "video/mp4")]))
            for key in ("old.mp4", "new.mp4")
        ]
        await until(lambda: len(_parts_under_way(tmp_path / "data")) >= 4)
        server.kill()
        for put in puts:
            with pytest.raises(OutageError):
                await put
        server.start()

        assert await blobs.get("old.mp4") == b"old"
        assert await blobs.stat("new.mp4") is None
        assert [found.key async for found in blobs.list("")] == ["old.mp4"]
    finally:
        await connection.close()
        server.kill()


def _parts_under_way(data: Path) -> list[Path]:
    return list((data / ".minio.sys" / "multipart").rglob("part.*"))
