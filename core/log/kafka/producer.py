"""Appending to partitions: idempotent, acknowledged by every replica in sync, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from core.errors import StageStopError
from core.log.kafka.connection import sever, why_unreachable
from core.log.kafka.errors import Failure, translated
from core.log.kafka.options import Credentials, KafkaOptions
from core.log.kafka.topics import Topics
from core.log.partitioner import partition_of
from core.log.port import Message, TopicPartition

_ABANDON_S = 5.0
_BATCH = 512 * 2**10
_LARGEST_REQUEST = 2 * 2**20

Batches = list[tuple[TopicPartition, Any]]


class _Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's producer, which may be left at once; ``left`` is set then."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.left = asyncio.get_running_loop().create_future()

    async def abandon(self) -> None:
        """Sends nothing more. ``stop`` would go on trying to deliver what its senders were told is
        lost, and they publish it again: an old record could come after its successor."""
        self._closed = self._message_accumulator._closed = True
        if not self.left.done():
            self.left.set_result(None)
        sender = self._sender.sender_task
        if sender is not None:
            sender.cancel()
        await sever(self.client)
        if sender is not None:
            await asyncio.wait([sender], timeout=_ABANDON_S)
            if sender.done() and not sender.cancelled():
                sender.exception()


class Appender:
    """Publishes through one producer, and makes a new one after a failure.

    A batch that failed for good leaves a hole in an idempotent producer's numbers, and brokers
    refuse what comes after it; a new producer starts to count anew.
    """

    def __init__(self, options: KafkaOptions, credentials: Credentials, topics: Topics) -> None:
        self._options = options
        self._credentials = credentials
        self._topics = topics
        self._spread = itertools.count()
        self._connecting = asyncio.Lock()
        self._producer: _Producer | None = None

    async def append(self, messages: Sequence[Message]) -> None:
        """All of them, in order for each partition; after an error some may have been written.

        Raises:
            StageStopError: a topic takes only smaller messages than ours may be.
        """
        counts = await self._topics.partitions({message.topic for message in messages})
        producer: _Producer | None = None
        try:
            async with asyncio.timeout(self._options.publish_s):
                producer = await self._connected()
                await self._deliver(producer, self._batches(producer, messages, counts))
        except Failure as error:
            self._topics.forget()
            await self._leave(producer)
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                size = max(len(message.value or b"") for message in messages)
                raise StageStopError(
                    f"Kafka does not take a message of {size} bytes; raise max.message.bytes of "
                    f"{', '.join(sorted(counts))}"
                ) from error
            raise translated(error, self._options) from error

    def _batches(
        self, producer: _Producer, messages: Sequence[Message], counts: dict[str, int]
    ) -> Batches:
        """Full ones come before the next of their partition."""
        batches: Batches = []
        filling: dict[TopicPartition, Any] = {}
        for message in messages:
            topic, key, count = message.topic, message.key, counts[message.topic]
            number = next(self._spread) % count if key is None else partition_of(key, count)
            tp = TopicPartition(topic, number)
            record = {
                "timestamp": None,  # the broker's clock counts
                "key": None if key is None else key.encode(errors="surrogateescape"),
                "value": message.value,
                "headers": [
                    (name, text.encode(errors="surrogateescape"))
                    for name, text in message.headers.items()
                ],
            }
            batch = filling.get(tp)
            if batch is None or batch.append(**record) is None:
                batch = filling[tp] = producer.create_batch()
                batch.append(**record)  # an empty batch takes a record of any size
                batches.append((tp, batch))
        return batches

    async def _deliver(self, producer: _Producer, batches: Batches) -> None:
        acknowledged = []
        for tp, batch in batches:
            batch.close()
            topic = self._options.outer(tp.topic)
            acknowledged.append(await _queued(producer, batch, topic, tp.partition))
        everything = asyncio.gather(*acknowledged)
        await asyncio.wait((everything, producer.left), return_when=asyncio.FIRST_COMPLETED)
        if not everything.done():
            everything.cancel()
            raise KafkaConnectionError("the producer failed on another publish")
        everything.result()

    async def _connected(self) -> _Producer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> _Producer:
        compression = self._options.compression
        producer = _Producer(
            bootstrap_servers=self._options.servers,
            enable_idempotence=True,
            acks="all",
            compression_type=None if compression == "none" else compression,
            max_batch_size=_BATCH,
            max_request_size=_LARGEST_REQUEST,
            **self._credentials.arguments(self._options.answer_s),
        )
        try:
            await producer.start()
        except KafkaConnectionError as error:
            await producer.abandon()
            raise await why_unreachable(self._options, self._credentials) from error
        except BaseException:
            await producer.abandon()
            raise
        return producer

    async def _leave(self, producer: _Producer | None) -> None:
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        await producer.abandon()

    async def close(self) -> None:
        """Waits for what is on its way, for a while."""
        producer, self._producer = self._producer, None
        if producer is not None:
            stopping = asyncio.create_task(producer.stop())
            done, _ = await asyncio.wait([stopping], timeout=_ABANDON_S)
            if not done:
                stopping.cancel()
                await producer.abandon()
                with contextlib.suppress(asyncio.CancelledError, KafkaError):
                    await stopping


async def _queued(
    producer: _Producer, batch: Any, topic: str, partition: int
) -> asyncio.Future[Any]:
    """Waits for those before it as long as the caller does, not as long as for one answer."""
    while True:
        with contextlib.suppress(KafkaTimeoutError):
            acknowledged: asyncio.Future[Any] = await producer.send_batch(
                batch, topic, partition=partition
            )
            return acknowledged
