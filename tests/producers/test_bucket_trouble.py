"""The bucket producer in trouble: servers that die, buckets that go, objects that cannot be had."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio.error import S3Error

from core.errors import OutageError, SettingsError, StageStopError
from core.runtime.retry import RetryPolicy
from core.s3 import S3Connection, S3Options
from producers.bucket import BucketProducer
from tests.producers.buckets import Bucket, open_bucket, scratch, watching
from tests.producers.engine import Engine, announced, eventually, names, photo, sha256
from tests.producers.test_folder_trouble import FullDisk, Roomy
from tests.servers.minio import MinioServer
from tests.servers.process import free_port

RETRY = RetryPolicy(base_s=0.1, cap_s=0.2)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MinioServer]:
    """A server to kill."""
    folder = tmp_path / "minio"
    folder.mkdir()
    server = MinioServer(folder)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.kill)


async def test_a_server_that_dies_is_waited_for_and_what_was_put_unheard_is_found(
    engine: Engine, server: MinioServer, lines: list[Any]
) -> None:
    async with (
        open_bucket(server.address) as bucket,
        watching(engine, bucket, retry=RETRY, poll_s=3600.0) as producer,
    ):
        await bucket.drop("a.jpg", "a")
        await eventually(lambda: producer.status.announced == 1)
        await eventually(lambda: producer.status.state == "watching")

        await asyncio.to_thread(server.kill)
        await eventually(lambda: producer.status.state == "paused")
        assert "S3_ENDPOINT" in producer.status.reason
        await asyncio.to_thread(server.start)
        await bucket.drop("b.jpg", "b")
        await eventually(lambda: producer.status.announced == 2)
        await eventually(lambda: producer.status.state == "watching")

        await bucket.drop("c.jpg", "c")
        await eventually(lambda: producer.status.announced == 3)

    assert len(await announced(engine)) == 3
    said = [line["event"] for line in lines if line["event"].startswith("intake_")]
    assert said == ["intake_paused", "intake_resumed"]


async def test_a_server_that_freezes_is_noticed_and_keeps_nobody_from_stopping(
    engine: Engine, server: MinioServer
) -> None:
    async with open_bucket(server.address, read_timeout_s=1.0) as bucket:
        async with watching(engine, bucket, retry=RETRY) as producer:
            await eventually(lambda: producer.status.state == "watching")
            server.freeze()
            waiting = asyncio.create_task(producer.drained())
            await eventually(lambda: producer.status.state == "paused")

        with pytest.raises(StageStopError):
            await waiting
        server.thaw()


async def test_a_server_that_is_away_at_the_start_is_waited_for(
    engine: Engine, server: MinioServer
) -> None:
    async with open_bucket(server.address) as bucket:
        await bucket.drop("a.jpg", "a")
        await asyncio.to_thread(server.stop)
        async with watching(engine, bucket, retry=RETRY) as producer:
            await eventually(lambda: producer.status.state == "paused")
            await asyncio.to_thread(server.start)
            await producer.drained()

    assert len(await announced(engine)) == 1


async def test_a_bucket_that_goes_away_pauses_and_one_that_comes_back_is_watched_again(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.drop("a.jpg", "a")
    async with watching(engine, bucket, retry=RETRY, rescan_s=0.2) as producer:
        await producer.drained()
        await bucket.remove("a.jpg")
        await bucket.connection.call(lambda client: client.remove_bucket(bucket.name))
        await eventually(lambda: producer.status.state == "paused")
        assert "is not there" in producer.status.reason

        await bucket.connection.ensure_bucket(bucket.name)
        await bucket.drop("b.jpg", "b")
        await producer.drained()
        await eventually(lambda: producer.status.state != "paused")

    assert len(await announced(engine)) == 2


async def test_a_full_store_pauses_intake_says_so_once_and_it_resumes_by_itself(
    engine: Engine, bucket: Bucket, lines: list[Any]
) -> None:
    blobs = FullDisk(engine.blobs)
    await bucket.drop("a.jpg", "old")
    await bucket.put("b.mp4", photo("b", 1 << 20))

    async with watching(engine, bucket, intake=engine.intake(blobs=blobs), retry=RETRY) as producer:
        await eventually(lambda: blobs.refused >= 3)
        assert producer.status.state == "paused"
        assert producer.status.reason == "the disk is full"
        await bucket.drop("a.jpg", "new")
        blobs.full = False
        await producer.drained()

    assert await announced(engine) == {
        (f"{bucket.place}/a.jpg", 1): sha256(photo("new")),
        (f"{bucket.place}/b.mp4", 1): sha256(photo("b", 1 << 20)),
    }
    said = [line["event"] for line in lines if line["event"].startswith("intake_")]
    assert said == ["intake_paused", "intake_resumed"]
    assert names(scratch(engine)) == set()


async def test_an_object_deleted_before_it_is_read_is_forgotten(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.drop("a.jpg", "a")
    await bucket.drop("b.jpg", "b")

    def delete_first(client: Any) -> None:
        client.remove_object(bucket.name, "a.jpg")

    connection = Meddled(bucket.connection, before={"a.jpg": delete_first})
    async with watching(engine, bucket, connection=connection) as producer:
        await producer.drained()
        assert producer.status.unreadable == 0

    assert set(await announced(engine)) == {(f"{bucket.place}/b.jpg", 1)}


async def test_an_object_replaced_while_it_is_read_is_announced_as_it_was_and_as_it_is(
    engine: Engine, bucket: Bucket
) -> None:
    contents = await contents_replaced_amid(engine, bucket, size=100)

    assert contents == [sha256(photo("old", 100)), sha256(photo("new", 100))]


async def test_a_large_object_replaced_while_it_is_read_is_never_announced_in_a_mixture(
    engine: Engine, plain_bucket: Bucket
) -> None:
    size = 40 << 20

    contents = await contents_replaced_amid(engine, plain_bucket, size)

    assert contents[-1] == sha256(photo("new", size))
    assert contents[:-1] in ([], [sha256(photo("old", size))])


async def contents_replaced_amid(engine: Engine, bucket: Bucket, size: int) -> list[str]:
    """The contents announced of an object that is replaced when its first piece was read."""
    await bucket.put("a.mp4", photo("old", size))
    loop = asyncio.get_running_loop()

    def replace(client: Any) -> None:
        putting = bucket.put("a.mp4", photo("new", size))
        asyncio.run_coroutine_threadsafe(putting, loop).result()

    connection = Meddled(bucket.connection, amid={"a.mp4": replace})
    async with watching(engine, bucket, connection=connection, retry=RETRY) as producer:
        await producer.drained()
        await producer.drained()
    return [content for _, content in sorted((await announced(engine)).items())]


async def test_an_object_that_breaks_off_each_time_keeps_nobody_waiting_and_is_tried_again(
    engine: Engine, bucket: Bucket, lines: list[Any]
) -> None:
    broken: dict[str, Exception] = {"a.jpg": OutageError("the connection broke off")}
    connection = Meddled(bucket.connection, breaks=broken)
    await bucket.drop("a.jpg", "a")

    async with watching(engine, bucket, connection=connection, retry=RETRY) as producer:
        await eventually(lambda: producer.status.unreadable == 1)
        await bucket.drop("b.jpg", "b")
        await producer.drained()
        assert producer.status.announced == 1
        assert producer.status.unreadable == 1
        assert producer.status.state == "watching"

        broken.clear()
        await producer.drained()
        assert producer.status.unreadable == 0

    assert len(await announced(engine)) == 2
    refused = [line for line in lines if line["event"] == "object_refused"]
    assert [(line["key"], line["why"]) for line in refused] == [("a.jpg", "unreadable")]


async def test_a_full_scratch_folder_pauses_intake_and_blames_no_object(
    engine: Engine, bucket: Bucket
) -> None:
    full: dict[str, Exception] = {"a.jpg": OSError(errno.ENOSPC, "No space left on device")}
    connection = Meddled(bucket.connection, breaks=full)
    await bucket.drop("a.jpg", "a")

    async with watching(engine, bucket, connection=connection, retry=RETRY) as producer:
        await eventually(lambda: connection.reads >= 5)
        assert producer.status.state == "paused"
        assert "No space left" in producer.status.reason
        assert producer.status.unreadable == 0

        full.clear()
        await producer.drained()

    assert len(await announced(engine)) == 1


async def test_an_object_that_the_server_will_not_give_waits_and_says_why(
    engine: Engine, bucket: Bucket, lines: list[Any]
) -> None:
    def refuse(client: Any) -> None:
        answer = urllib3.HTTPResponse(status=403)
        raise S3Error(answer, "InvalidObjectState", "it lies in an archive", "", "", "")

    connection = Meddled(bucket.connection, before={"a.jpg": refuse})
    await bucket.drop("a.jpg", "a")

    async with watching(engine, bucket, connection=connection) as producer:
        await producer.drained()
        assert producer.status.unreadable == 1
        assert producer.status.state != "paused"

    (refused,) = [line for line in lines if line["event"] == "object_refused"]
    assert "archive" in refused["reason"]


async def test_a_missing_bucket_is_refused_with_what_to_do(engine: Engine, bucket: Bucket) -> None:
    missing = Bucket(bucket.connection, f"{bucket.name}-missing")

    with pytest.raises(SettingsError, match="make it on"):
        async with watching(engine, missing) as producer:
            await producer.drained()


async def test_the_engines_own_bucket_is_refused(engine: Engine) -> None:
    nowhere = S3Connection(S3Options(f"http://127.0.0.1:{free_port()}", "a", "b"))

    with pytest.raises(SettingsError, match="S3_BUCKET"):
        BucketProducer(
            nowhere,
            "tagger",
            intake=engine.intake(),
            state=engine.state,
            scratch=scratch(engine),
            store_bucket="tagger",
        )


class Meddled:
    """A connection during whose downloads something happens.

    Args:
        before: done before the object of this key is read, once.
        amid: done when the first piece of it has come, once.
        breaks: what happens instead of the object of this key.
    """

    def __init__(
        self,
        connection: S3Connection,
        before: dict[str, Callable[[Any], None]] | None = None,
        amid: dict[str, Callable[[Any], None]] | None = None,
        breaks: dict[str, Exception] | None = None,
    ) -> None:
        self._connection = connection
        self.endpoint = connection.endpoint
        self.before = before or {}
        self.amid = amid or {}
        self.breaks = breaks if breaks is not None else {}
        self.reads = 0

    async def call(self, job: Any) -> Any:
        return await self._connection.call(lambda client: job(_MeddledClient(client, self)))


class _MeddledClient:
    def __init__(self, client: Any, how: Meddled) -> None:
        self._client = client
        self._how = how

    def get_object(self, bucket: str, key: str) -> Any:
        self._how.reads += 1
        if meddle := self._how.before.get(key):
            meddle(self._client)
        response = self._client.get_object(bucket, key)
        stream = response.stream

        def pieces(*args: Any, **options: Any) -> Iterator[bytes]:
            if error := self._how.breaks.get(key):
                raise error
            for piece in stream(*args, **options):
                if meddle := self._how.amid.pop(key, None):
                    meddle(self._client)
                yield piece

        response.stream = pieces
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


async def test_an_object_that_does_not_fit_waits_alone_undownloaded(
    engine: Engine, bucket: Bucket, lines: list[Any]
) -> None:
    blobs = Roomy(engine.blobs, 5 << 20)
    await bucket.put("a.mp4", photo("a", 4 << 20))
    await bucket.put("b.mp4", photo("b", 1 << 20))

    async with watching(
        engine, bucket, intake=engine.intake(blobs=blobs), rescan_s=0.2
    ) as producer:
        await producer.drained()
        assert (producer.status.announced, producer.status.no_room) == (1, 1)
        assert producer.status.state == "watching"

        blobs.left = 16 << 20
        await eventually(lambda: producer.status.announced == 2)
        assert producer.status.no_room == 0

    assert [line["why"] for line in lines if line["event"] == "object_refused"] == ["no_room"]
