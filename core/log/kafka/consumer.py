"""aiokafka's consumer, plus what it knows and does not say; and its records in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from core.log.kafka.batches import read_any_header
from core.log.kafka.connection import sever
from core.log.kafka.options import Credentials, KafkaOptions
from core.log.port import Record, TopicPartition

read_any_header()

_HEARTBEAT_S = 1.0
_FETCH_WAIT_MS = 200
_STOP_S = 5.0

_NOWHERE = aiokafka.TopicPartition("", 0)
_READING = {
    "auto_offset_reset": "earliest",
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    # A partition that was just drained waits for the request under way, which idle ones draw out.
    "fetch_max_wait_ms": _FETCH_WAIT_MS,
}


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Reads partitions, as a member of a group or by itself."""

    @property
    def generation(self) -> int:
        """Of the group, as far as this member knows; -1 once it was thrown out."""
        generation: int = self._coordinator.generation
        return generation

    @contextmanager
    def polling(self) -> Iterator[None]:
        """A member that polls is alive, however long the call takes. aiokafka's own context does
        not survive an exception: it would count the member as polling ever after."""
        context = self._subscription.fetch_context()
        context.__enter__()
        try:
            yield
        finally:
            context.__exit__(None, None, None)

    def check(self) -> None:
        """Raises what keeps this member out of its group; ``take`` does so, too."""
        self._coordinator.check_errors()

    async def take(
        self, partitions: Collection[aiokafka.TopicPartition], limit: int
    ) -> Mapping[aiokafka.TopicPartition, list[Any]]:
        """What was fetched already, without waiting, so that cancelling it loses nothing. What it
        has of other partitions it keeps."""
        taken: Mapping[aiokafka.TopicPartition, list[Any]] = await self.getmany(
            *(partitions or (_NOWHERE,)), timeout_ms=0, max_records=limit
        )
        return taken

    def arrival(self, wake: Callable[[], object]) -> asyncio.Future[None]:
        """Calls ``wake`` when something was fetched, or went wrong; to be cancelled after use."""
        waiter: asyncio.Future[None] = self._fetcher._create_fetch_waiter()

        def arrived(waiter: asyncio.Future[None]) -> None:
            if not waiter.cancelled():
                waiter.exception()  # ``take`` raises it
                wake()

        waiter.add_done_callback(arrived)
        return waiter

    async def leave(self) -> None:
        """Stops in bounded time, also while no broker answers."""
        stopping = asyncio.create_task(self.stop())
        await asyncio.wait([stopping], timeout=_STOP_S)
        if not stopping.done():
            await sever(self._client)
            await asyncio.wait([stopping], timeout=_STOP_S)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        # Where stopping failed half way, a member that went on beating would keep its partitions.
        if beating := getattr(self._coordinator, "_heartbeat_task", None):
            beating.cancel()
        await sever(self._client)


def records(
    options: KafkaOptions, taken: Mapping[aiokafka.TopicPartition, list[Any]]
) -> list[Record]:
    """With topics as their callers know them."""
    found: list[Record] = []
    for outer, messages in taken.items():
        tp = options.inner_tp(outer)
        found += [_record(tp, message) for message in messages]
    return found


def _record(tp: TopicPartition, message: Any) -> Record:
    return Record(
        tp,
        message.offset,
        message.timestamp,
        None if message.key is None else message.key.decode(errors="surrogateescape"),
        message.value,
        _headers(message.headers),
    )


def _headers(pairs: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    try:
        return {name: value.decode() for name, value in pairs}  # type: ignore[union-attr]
    except (AttributeError, UnicodeDecodeError):  # a stranger's: none of ours is empty or no text
        return {name: (value or b"").decode(errors="surrogateescape") for name, value in pairs}


def member(options: KafkaOptions, credentials: Credentials, group: str) -> Consumer:
    """A consumer that will join a group; start it, then subscribe it."""
    instance = f"{options.instance}.{options.outer(group)}" if options.instance else None
    # Joining is answered when every member came, so that request has to outwait a rebalance.
    arguments = credentials.arguments(options.rebalance_timeout_s + options.answer_s)
    return Consumer(
        bootstrap_servers=options.servers,
        group_id=options.outer(group),
        group_instance_id=instance,
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=int(options.session_timeout_s * 1000),
        heartbeat_interval_ms=int(min(_HEARTBEAT_S, options.session_timeout_s / 4) * 1000),
        max_poll_interval_ms=int(options.max_poll_interval_s * 1000),
        rebalance_timeout_ms=int(options.rebalance_timeout_s * 1000),
        **_READING,
        **arguments,
    )


def loner(options: KafkaOptions, credentials: Credentials) -> Consumer:
    """A consumer without a group; start it, then assign it."""
    arguments = credentials.arguments(options.answer_s)
    return Consumer(bootstrap_servers=options.servers, **_READING, **arguments)
