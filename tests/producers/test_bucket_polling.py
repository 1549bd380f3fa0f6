"""Servers that send no notifications, or seem to: they are polled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from core.runtime.retry import RetryPolicy
from core.s3 import S3Connection, S3Options
from producers.bucket_notices import ServerNotices
from producers.objects import Version
from producers.place import Notice, Subscribed, Unsubscribed
from tests.producers.buckets import Bucket, watching
from tests.producers.engine import Engine, announced, eventually, photo, sha256
from tests.producers.test_bucket import ODD

RETRY = RetryPolicy(base_s=0.05, cap_s=0.1)


async def test_a_server_without_notifications_is_polled_and_that_is_said_once(
    engine: Engine, plain_bucket: Bucket, lines: list[Any]
) -> None:
    await plain_bucket.drop("a.jpg", "a")
    async with watching(engine, plain_bucket, rescan_s=0.3) as producer:
        await producer.drained()
        assert producer.status.state == "polling"
        assert "NotImplemented" in producer.status.reason

        await plain_bucket.drop("b.jpg", "b")
        await eventually(lambda: producer.status.announced == 2)
        listings = producer._listings
        await eventually(lambda: producer._listings > listings + 3)

    assert len(await announced(engine)) == 2
    assert len([line for line in lines if line["event"] == "polling_started"]) == 1


async def test_replaced_objects_and_odd_keys_are_found_by_polling_too(
    engine: Engine, plain_bucket: Bucket
) -> None:
    for key in ODD:
        await plain_bucket.drop(key, "old")
    async with watching(engine, plain_bucket) as producer:
        await eventually(lambda: producer.status.announced == len(ODD))
        for key in ODD:
            await plain_bucket.drop(key, key)
        await eventually(lambda: producer.status.announced == 2 * len(ODD))

    found = await announced(engine)
    assert {uri: content for (uri, number), content in found.items() if number == 2} == {
        f"{plain_bucket.place}/{name}": sha256(photo(key)) for key, name in ODD.items()
    }


async def test_a_server_that_takes_a_subscription_and_stays_silent_is_not_trusted() -> None:
    async with silent_server(b"") as endpoint, notices_of(endpoint) as notices:
        notice = await anext(notices)

    assert isinstance(notice, Unsubscribed)
    assert notice.refused
    assert "no sign of life" in notice.reason


async def test_a_server_that_takes_a_subscription_for_a_listing_is_not_trusted() -> None:
    async with (
        silent_server(answer("application/xml")) as endpoint,
        notices_of(endpoint) as notices,
    ):
        notice = await anext(notices)

    assert isinstance(notice, Unsubscribed)
    assert notice.refused
    assert "application/xml" in notice.reason


async def test_a_subscription_that_falls_silent_is_made_anew() -> None:
    stream = answer("text/event-stream")

    async with silent_server(stream) as endpoint, notices_of(endpoint) as notices:
        first, second, third = [await anext(notices) for _ in range(3)]

    assert first == third == Subscribed()
    assert isinstance(second, Unsubscribed)
    assert not second.refused


@asynccontextmanager
async def notices_of(endpoint: str) -> AsyncIterator[AsyncIterator[Notice[Version]]]:
    connection = S3Connection(S3Options(endpoint, "a", "b", region="us-east-1"))
    notices = ServerNotices(connection, "drop", retry=RETRY, again_s=60.0, patience_s=0.2)
    async with aclosing(cast("AsyncGenerator[Notice[Version], None]", notices.follow())) as follow:
        yield follow
    await connection.close()


def answer(content_type: str) -> bytes:
    """The beginning of one, and a first blank."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"1\r\n \r\n"


@asynccontextmanager
async def silent_server(greeting: bytes) -> AsyncIterator[str]:
    """Takes a request, says the greeting, and no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
