"""Questions to a cluster, on connections that are kept and made anew when they break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.metadata import MetadataRequest

from core.log.kafka.connection import sever, why_unreachable
from core.log.kafka.errors import Failure, translated
from core.log.kafka.options import Credentials, KafkaOptions
from core.log.port import TopicPartition

T = TypeVar("T")

_AGAIN_S = 0.1
_SILENCE_S = 5.0
_NO_GENERATION = -1


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's admin client, plus what it lacks."""

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        # The original looks at errors of single partitions only, so a coordinator that is still
        # loading after a restart would seem to know no group and no offset.
        response = await super()._send_request(request, node_id)
        if code := getattr(response, "error_code", 0):
            raise for_code(code)()
        return response

    async def brokers(self) -> int:
        """How many there are; the cheapest question."""
        return len((await self._send_request(MetadataRequest([]))).brokers)

    async def any_broker(self) -> int:
        """The node id of one."""
        node: int = (await self._send_request(MetadataRequest([]))).brokers[0][0]
        return node

    async def partition_counts(self, names: list[str]) -> dict[str, int]:
        """Of those topics that exist; never makes one, whatever the broker is set to."""
        request = MetadataRequest(names, allow_auto_topic_creation=False)
        counts = {}
        for topic in (await self._send_request(request)).to_object()["topics"]:
            error = for_code(topic["error_code"])
            if error is NoError:
                counts[topic["topic"]] = len(topic["partitions"])
            elif error is not UnknownTopicOrPartitionError:
                raise error(topic["topic"])
        return counts

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """For a group without members; raises UnknownMemberIdError if it has some."""
        topics: dict[str, list[tuple[int, int, str]]] = {}
        for (topic, partition), offset in offsets.items():
            topics.setdefault(topic, []).append((partition, offset, ""))
        retention = OffsetCommitRequest.DEFAULT_RETENTION_TIME
        request = OffsetCommitRequest(group, _NO_GENERATION, "", retention, list(topics.items()))
        response = await self._send_request(request, await self.find_coordinator(group))
        for _, partitions in response.topics:
            for _, code in partitions:
                if code:
                    raise for_code(code)()


@dataclass(frozen=True, slots=True)
class Clients:
    """``admin`` knows topics and groups; ``reader`` knows offsets, and never reads a record."""

    admin: Admin
    reader: Any


class Queries:
    """Answers in bounded time, or raises OutageError; SettingsError where trying is no use."""

    def __init__(self, options: KafkaOptions, credentials: Credentials) -> None:
        self._options = options
        self._credentials = credentials
        self._clients: Clients | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, question: Callable[[Clients], Awaitable[T]]) -> T:
        """Repeats the question while the cluster is busy with itself."""
        try:
            async with asyncio.timeout(self._options.answer_s):
                return await self._answer(question)
        except Failure as error:
            await self._drop(self._clients)
            raise translated(error, self._options) from error

    async def _answer(self, question: Callable[[Clients], Awaitable[T]]) -> T:
        while True:
            clients = await self._connected()
            try:
                return await question(clients)
            except (KafkaConnectionError, NodeNotReadyError):
                await self._drop(clients)
            except KafkaError as error:
                if not error.retriable:
                    raise
            await asyncio.sleep(_AGAIN_S)

    async def _connected(self) -> Clients:
        async with self._connecting:
            if self._clients is None:
                self._clients = await self._connect()
            return self._clients

    async def _connect(self) -> Clients:
        arguments = self._credentials.arguments(self._options.answer_s)
        arguments["bootstrap_servers"] = self._options.servers
        admin = Admin(**arguments)
        reader = AIOKafkaConsumer(**arguments, isolation_level="read_committed")
        clients = Clients(admin, reader)
        try:
            await asyncio.gather(admin.start(), reader.start())
        except KafkaConnectionError as error:
            await _close(clients)
            raise await why_unreachable(self._options, self._credentials) from error
        except BaseException:
            await _close(clients)
            raise
        return clients

    async def _drop(self, clients: Clients | None) -> None:
        """Connects anew at the next question; somebody else may have done so already."""
        if clients is not None and clients is self._clients:
            self._clients = None
            await _close(clients)

    async def close(self) -> None:
        await self._drop(self._clients)


async def _close(clients: Clients) -> None:
    await sever(clients.admin._client)
    await sever(clients.reader._client)
    await clients.admin.close()
    await clients.reader.stop()


class Liveness:
    """Whether the cluster still answers while we wait for records: aiokafka does not tell."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._heard = time.monotonic()

    def heard(self) -> None:
        """Something came from it."""
        self._heard = time.monotonic()

    async def check(self) -> None:
        """Asks, if nothing was heard for a while; raises OutageError."""
        if time.monotonic() - self._heard >= _SILENCE_S:
            await self._queries.ask(lambda clients: clients.admin.brokers())
            self.heard()
