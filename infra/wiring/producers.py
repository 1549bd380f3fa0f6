"""Producers put together: what they announce to, what they keep, and how they are watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core import telemetry
from core.intake.intake import Intake
from core.settings import Settings
from core.state.port import StateStore
from infra.wiring.adapters import open_decoder, open_ports, open_s3, open_scratch, refuse_split
from producers.folder import FolderProducer
from producers.folder_admission import Prober
from producers.options import BucketOptions, FolderOptions

if TYPE_CHECKING:  # imported where it is used, since most runs have no S3 server
    from producers.bucket import BucketProducer


class ProducerWorker:
    """A producer, and what its status says of trouble: to probes, and as gauges."""

    def __init__(self, name: str, producer: FolderProducer | BucketProducer) -> None:
        self._producer = producer
        telemetry.INTAKE_PAUSED.labels(name).set_function(self._paused)
        for reason in producer.status.refused:
            telemetry.REFUSED.labels(name, reason).set_function(partial(self._refused, reason))

    async def run(self, stop: asyncio.Event) -> None:
        await self._producer.run(stop)

    def trouble(self) -> str | None:
        status = self._producer.status
        if status.state in ("watching", "polling"):
            return None
        return f"{status.state}: {status.reason}" if status.reason else status.state

    def _paused(self) -> float:
        return self._producer.status.state == "paused"

    def _refused(self, reason: str) -> float:
        return self._producer.status.refused[reason]


@asynccontextmanager
async def open_folder_producer(settings: Settings, folder: Path) -> AsyncIterator[ProducerWorker]:
    """Raises SettingsError where the folder is missing, or meets the data folder."""
    refuse_split(settings, part=True)
    async with open_ports(settings, "tagger-folder") as ports, open_decoder(settings) as decoder:
        producer = folder_producer(settings, folder, Intake(ports), ports.state, decoder)
        yield ProducerWorker("folder", producer)


@asynccontextmanager
async def open_bucket_producer(settings: Settings, bucket: str) -> AsyncIterator[ProducerWorker]:
    """Raises SettingsError where the bucket is missing, or is the engine's own."""
    from producers.bucket import BucketProducer
    from producers.bucket_topic import TopicNotices

    refuse_split(settings, part=True)
    async with open_ports(settings, "tagger-bucket") as ports:
        connection = open_s3(settings)
        try:
            with open_scratch(settings) as scratch:
                options, topic = bucket_options(settings), settings.bucket.notifications
                told = TopicNotices(ports.log, topic, bucket, retry=options.retry)
                yield ProducerWorker(
                    "bucket",
                    BucketProducer(
                        connection,
                        bucket,
                        intake=Intake(ports),
                        state=ports.state,
                        scratch=scratch.path,
                        store_bucket=settings.s3.bucket,
                        notices=told if topic else None,
                        options=options,
                    ),
                )
        finally:
            await connection.close()


def folder_producer(
    settings: Settings, folder: Path, intake: Intake, state: StateStore, prober: Prober
) -> FolderProducer:
    """Raises SettingsError where the folder is missing, or meets the data folder."""
    watch = settings.watch
    return FolderProducer(
        folder,
        intake=intake,
        state=state,
        prober=prober,
        data_folder=settings.data_dir,
        options=FolderOptions(
            settle_s=watch.settle_s,
            undecodable_after_s=watch.undecodable_after_s,
            rescan_s=watch.rescan_s,
            poll_s=watch.poll_s,
            max_file_bytes=watch.max_file_mb << 20,
        ),
    )


def bucket_options(settings: Settings) -> BucketOptions:
    """How buckets are watched."""
    bucket = settings.bucket
    return BucketOptions(
        rescan_s=bucket.rescan_s,
        poll_s=bucket.poll_s,
        max_object_bytes=bucket.max_object_mb << 20,
    )
