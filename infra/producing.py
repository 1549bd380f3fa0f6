"""Producers put together: what they announce to, what they keep, and how they are watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.intake import Intake
from core.settings import Settings
from infra.adapters import Ports, open_decoder, open_ports, open_s3, open_scratch
from producers.folder import FolderProducer
from producers.options import BucketOptions, FolderOptions

if TYPE_CHECKING:  # imported where it is used, since most runs have no S3 server
    from producers.bucket import BucketProducer


class ProducerWorker:
    """A producer, and what its status says of trouble."""

    def __init__(self, producer: FolderProducer | BucketProducer) -> None:
        self._producer = producer

    async def run(self, stop: asyncio.Event) -> None:
        await self._producer.run(stop)

    def trouble(self) -> str | None:
        status = self._producer.status
        if status.state in ("watching", "polling"):
            return None
        return f"{status.state}: {status.reason}" if status.reason else status.state


@asynccontextmanager
async def open_folder_producer(settings: Settings, folder: Path) -> AsyncIterator[ProducerWorker]:
    """Raises SettingsError where the folder is missing, or meets the data folder."""
    async with open_ports(settings, "tagger-folder") as ports, open_decoder(settings) as decoder:
        yield ProducerWorker(
            FolderProducer(
                folder,
                intake=intake(ports),
                state=ports.state,
                prober=decoder,
                data_folder=settings.data_dir,
                options=folder_options(settings),
            )
        )


@asynccontextmanager
async def open_bucket_producer(settings: Settings, bucket: str) -> AsyncIterator[ProducerWorker]:
    """Raises SettingsError where the bucket is missing, or is the engine's own."""
    from producers.bucket import BucketProducer
    from producers.bucket_topic import TopicNotices

    async with open_ports(settings, "tagger-bucket") as ports:
        connection = open_s3(settings)
        try:
            with open_scratch(settings) as scratch:
                options, topic = bucket_options(settings), settings.bucket.notifications
                told = TopicNotices(ports.log, topic, bucket, retry=options.retry)
                yield ProducerWorker(
                    BucketProducer(
                        connection,
                        bucket,
                        intake=intake(ports),
                        state=ports.state,
                        scratch=scratch.path,
                        store_bucket=settings.s3.bucket,
                        notices=told if topic else None,
                        options=options,
                    )
                )
        finally:
            await connection.close()


def intake(ports: Ports) -> Intake:
    """Where producers announce."""
    return Intake(ports.log, ports.blobs, ports.state)


def folder_options(settings: Settings) -> FolderOptions:
    """How folders are watched."""
    watch = settings.watch
    return FolderOptions(
        settle_s=watch.settle_s,
        undecodable_after_s=watch.undecodable_after_s,
        rescan_s=watch.rescan_s,
        poll_s=watch.poll_s,
    )


def bucket_options(settings: Settings) -> BucketOptions:
    """How buckets are watched."""
    bucket = settings.bucket
    return BucketOptions(
        rescan_s=bucket.rescan_s,
        poll_s=bucket.poll_s,
        max_object_bytes=bucket.max_object_mb << 20,
    )
