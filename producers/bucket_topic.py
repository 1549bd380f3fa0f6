"""Hints from a topic that MinIO writes its bucket notifications to (its Kafka target)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from core.errors import OutageError
from core.log.port import EventLog
from core.runtime.retry import RetryPolicy
from producers.objects import Version
from producers.place import Notice, Put, Subscribed, Unsubscribed
from producers.records import created


class TopicNotices:
    """Follows the topic from its present end, without a group: a producer that lists the bucket
    finds what was written before. One topic may carry the notices of many buckets."""

    def __init__(self, log: EventLog, topic: str, bucket: str, *, retry: RetryPolicy) -> None:
        self._log = log
        self._topic = topic
        self._bucket = bucket
        self._retry = retry

    async def follow(self) -> AsyncIterator[Notice[Version]]:
        """Raises SettingsError: there is no such topic."""
        failures = 0
        while True:
            try:
                # From offsets that are known before the bucket is listed: no put falls between.
                offsets = await self._log.end_offsets([self._topic])
                yield Subscribed()
                failures = 0
                async for record in self._log.tail([self._topic], offsets, follow=True):
                    yield Put(created(record.value or b"{}", self._bucket, encoded=True))
                reason = "the event log ended the topic"
            except OutageError as error:
                reason = str(error)
            failures += 1
            yield Unsubscribed(reason, refused=False)
            await asyncio.sleep(self._retry.base_s / 2 + self._retry.delay(failures))
