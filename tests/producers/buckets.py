"""A bucket of a real server, and a producer that watches it."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.intake.intake import Intake
from core.s3 import S3Connection, S3Options
from producers.bucket import BucketProducer
from producers.bucket_notices import BucketNotices
from producers.options import BucketOptions
from tests.producers.engine import Engine, photo

QUICK: dict[str, Any] = {"rescan_s": 3600.0, "poll_s": 0.2}
"""Nothing that a test waits for shall come by the timer."""


@dataclass
class Bucket:
    """``name`` is nobody else's."""

    connection: S3Connection
    name: str

    @property
    def place(self) -> str:
        return f"s3://{self.name}"

    async def put(self, key: str, data: bytes, **options: Any) -> None:
        await self.connection.call(
            lambda client: client.put_object(self.name, key, io.BytesIO(data), len(data), **options)
        )

    async def drop(self, key: str, text: str) -> str:
        """Puts a picture, different for each text; its uri, if the key is a plain one."""
        await self.put(key, photo(text))
        return f"{self.place}/{key}"

    async def remove(self, key: str) -> None:
        await self.connection.call(lambda client: client.remove_object(self.name, key))


@asynccontextmanager
async def open_bucket(address: Mapping[str, str], **options: Any) -> AsyncIterator[Bucket]:
    connection = S3Connection(S3Options(**address), **options)
    bucket = Bucket(connection, f"drop-{uuid.uuid4().hex[:16]}")
    await connection.ensure_bucket(bucket.name)
    yield bucket
    await connection.close()


@asynccontextmanager
async def watching(
    engine: Engine,
    bucket: Bucket,
    *,
    intake: Intake | None = None,
    notices: BucketNotices | None = None,
    connection: Any = None,
    **options: Any,
) -> AsyncIterator[BucketProducer]:
    """A running producer; an error that ends it is raised on leaving."""
    producer = BucketProducer(
        connection or bucket.connection,
        bucket.name,
        intake=intake or engine.intake(),
        state=engine.state,
        scratch=scratch(engine),
        store_bucket=None,
        notices=notices,
        options=BucketOptions(**QUICK | options),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(producer.run(stop))
    try:
        yield producer
    finally:
        stop.set()
        await running


def scratch(engine: Engine) -> Path:
    """Where objects are while they are taken in."""
    path = engine.data / "scratch"
    path.mkdir(exist_ok=True)
    return path
