"""What an S3 server's troubles are to us: an outage that passes, or a setting to correct."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error

from core.errors import OutageError, SettingsError
from core.s3 import S3Connection, S3Options, is_missing
from tests.servers.minio import MinioServer, minio_address
from tests.servers.s3 import connect, place_of
from tests.servers.session import Address


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[MinioServer]:
    """The test's own, to kill."""
    server = MinioServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def connection() -> AsyncIterator[S3Connection]:
    connection = connect(minio_address())
    yield connection
    await connection.close()


@asynccontextmanager
async def _connected(address: Address, read_timeout_s: float = 60.0) -> AsyncIterator[S3Connection]:
    connection = connect(address, read_timeout_s=read_timeout_s)
    try:
        yield connection
    finally:
        await connection.close()


async def _fetch(connection: S3Connection, bucket: str) -> bytes:
    def job(client: Minio) -> bytes:
        with client.get_object(bucket, "kept") as response:
            return response.read()

    return await connection.call(job)


async def _keep(connection: S3Connection, bucket: str) -> None:
    await connection.ensure_bucket(bucket)
    await connection.call(lambda client: client.put_object(bucket, "kept", io.BytesIO(b"x"), 1))


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "minio:9000",
        "127.0.0.1",
        "ftp://minio:9000",
        "http://",
        "http://minio:port",
        "http://minio:9000/bucket",
        "http://minio:9000?a=b",
        "http://key:secret@minio:9000",
    ],
)
def test_an_endpoint_that_is_none_is_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"S3_ENDPOINT.*http://host:9000"):
        S3Options(endpoint, "key", "secret")


@pytest.mark.parametrize(("access_key", "secret_key"), [("", "secret"), ("key", "")])
def test_half_a_login_is_refused(access_key: str, secret_key: str) -> None:
    with pytest.raises(SettingsError, match="S3_ACCESS_KEY and S3_SECRET_KEY"):
        S3Options("http://minio:9000", access_key, secret_key)


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(S3Options("https://minio", "key", "hush"))


async def test_a_bucket_is_made_once_whoever_asks(tmp_path: Path) -> None:
    bucket = place_of(tmp_path)
    async with _connected(minio_address()) as one, _connected(minio_address()) as other:
        await asyncio.gather(*(who.ensure_bucket(bucket) for who in [one, other] * 4))

        assert await one.call(lambda client: client.bucket_exists(bucket))


@pytest.mark.parametrize("wrong", [{"access_key": "nobody"}, {"secret_key": "not-the-one"}])
async def test_a_refused_login_names_its_settings(wrong: dict[str, str], tmp_path: Path) -> None:
    async with _connected({**minio_address(), **wrong}) as connection:
        with pytest.raises(SettingsError, match="S3_ACCESS_KEY and S3_SECRET_KEY"):
            await connection.ensure_bucket(place_of(tmp_path))


async def test_a_login_refused_later_is_an_outage(tmp_path: Path) -> None:
    async with _connected({**minio_address(), "secret_key": "changed-meanwhile"}) as connection:
        with pytest.raises(OutageError, match="no longer lets us in: check S3_ACCESS_KEY"):
            await _fetch(connection, place_of(tmp_path))


@pytest.mark.parametrize("name", ["My_Bucket", "b", "a bucket"])
async def test_a_name_that_no_bucket_can_have_is_a_setting(
    connection: S3Connection, name: str
) -> None:
    with pytest.raises(SettingsError, match=f"{name}.*S3_BUCKET"):
        await connection.ensure_bucket(name)


async def test_a_bucket_that_is_gone_is_an_outage(connection: S3Connection, tmp_path: Path) -> None:
    bucket = place_of(tmp_path)

    with pytest.raises(OutageError, match=f"{bucket}.*is not there"):
        await _fetch(connection, bucket)


async def test_a_missing_object_is_the_callers_to_judge(
    connection: S3Connection, tmp_path: Path
) -> None:
    await connection.ensure_bucket(place_of(tmp_path))

    with pytest.raises(S3Error) as raised:
        await _fetch(connection, place_of(tmp_path))

    assert is_missing(raised.value)


async def test_a_killed_server_is_an_outage_until_it_is_back(own_server: MinioServer) -> None:
    async with _connected(own_server.address) as connection:
        await _keep(connection, "bucket")

        own_server.kill()
        with pytest.raises(OutageError, match=f"{own_server.endpoint}.*check that it runs"):
            await _fetch(connection, "bucket")
        own_server.start()

        assert await _fetch(connection, "bucket") == b"x"


async def test_a_restart_between_two_calls_goes_unnoticed(own_server: MinioServer) -> None:
    async with _connected(own_server.address) as connection:
        await _keep(connection, "bucket")

        own_server.stop()
        own_server.start()

        assert await _fetch(connection, "bucket") == b"x"


async def test_a_frozen_server_is_an_outage_until_it_thaws(own_server: MinioServer) -> None:
    async with _connected(own_server.address, read_timeout_s=1.0) as connection:
        await _keep(connection, "bucket")

        own_server.freeze()
        with pytest.raises(OutageError, match="cannot be reached.*timed out"):
            await _fetch(connection, "bucket")
        own_server.thaw()

        assert await _fetch(connection, "bucket") == b"x"


_XML = "<Error><Code>{}</Code><Message>what it says</Message></Error>"


@pytest.mark.parametrize(
    ("status", "answer", "advice"),
    [
        (503, _XML.format("SlowDown"), "overloaded or in trouble"),
        (500, _XML.format("InternalError"), "overloaded or in trouble"),
        (429, _XML.format("WhateverItIsCalled"), "overloaded or in trouble"),
        (507, _XML.format("XMinioStorageFull"), "free some space"),
        (403, _XML.format("RequestTimeTooSkewed"), "clock"),
        (502, "<html>Bad Gateway</html>", "S3_ENDPOINT"),
        (200, "<html><p>the server's console</html>", "S3_ENDPOINT"),
    ],
)
async def test_what_passes_by_itself_or_by_the_operator_is_an_outage(
    status: int, answer: str, advice: str
) -> None:
    async with _server_that_says(status, answer) as endpoint:
        address = {"endpoint": endpoint, "access_key": "key", "secret_key": "secret"}
        async with _connected(address) as connection:
            with pytest.raises(OutageError, match=advice) as raised:
                await connection.ensure_bucket("bucket")

    assert endpoint in str(raised.value)


async def test_a_call_that_the_server_does_not_know_is_the_callers_to_judge() -> None:
    async with _server_that_says(501, _XML.format("NotImplemented")) as endpoint:
        address = {"endpoint": endpoint, "access_key": "key", "secret_key": "secret"}
        async with _connected(address) as connection:
            with pytest.raises(S3Error, match="NotImplemented"):
                await connection.call(lambda client: client.list_buckets())


@asynccontextmanager
async def _server_that_says(status: int, answer: str) -> AsyncIterator[str]:
    """Gives the same answer to every request: what a real server cannot be brought to say."""
    kind = "application/xml" if answer.startswith("<Error>") else "text/html"
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n"

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{head}Connection: close\r\n\r\n{answer}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer_all, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
