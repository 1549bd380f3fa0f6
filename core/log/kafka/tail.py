"""Reading topics without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

import aiokafka
from aiokafka.errors import ConsumerStoppedError, KafkaConnectionError

from core.log.kafka.asking import Liveness
from core.log.kafka.cluster import Cluster
from core.log.kafka.connection import why_unreachable
from core.log.kafka.consumer import Consumer, loner, records
from core.log.kafka.errors import Failure, translated
from core.log.port import Record, Start, TopicPartition

_PAGE = 512
_LOOK_AGAIN_MS = 250


class Tail:
    """One reading of some topics; to be closed by the caller, which ends it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._liveness = Liveness(cluster.queries)
        self._consumer: Consumer | None = None
        self._closed = False

    async def read(
        self, topics: Collection[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        """Positions are taken when the first record is asked for."""
        begins = await self._cluster.offsets.begin(topics)
        ends = await self._cluster.offsets.end(topics)
        if start == "latest":
            start = ends
        elif start == "earliest":
            start = {}
        # Beyond the end aiokafka would start from the beginning.
        wanted = {tp: min(start.get(tp, 0), end) for tp, end in ends.items()}
        outer = self._cluster.options.outer_tp
        positions = {outer(tp): max(wanted[tp], begins[tp]) for tp in ends}
        limits = None if follow else {outer(tp): end for tp, end in ends.items()}
        consumer = await self._connected()
        consumer.assign(list(positions))
        for tp, position in positions.items():
            consumer.seek(tp, position)
        async for page in self._pages(consumer, limits):
            for record in page:
                yield record

    async def _pages(
        self, consumer: Consumer, limits: Mapping[aiokafka.TopicPartition, int] | None
    ) -> AsyncIterator[list[Record]]:
        """What a limit cuts off is not given. It is positions that are compared with the limits:
        compaction and transactions leave the last offsets without a record."""
        unfinished = set(limits or ())
        while not self._closed:
            if limits is not None:
                for tp in [tp for tp in unfinished if await consumer.position(tp) >= limits[tp]]:
                    unfinished.remove(tp)
                    consumer.pause(tp)
                if not unfinished:
                    return
            try:
                taken = await consumer.getmany(timeout_ms=_LOOK_AGAIN_MS, max_records=_PAGE)
            except ConsumerStoppedError:
                return
            except Failure as error:
                raise translated(error, self._cluster.options) from error
            found = records(self._cluster.options, taken)
            if found:
                self._liveness.heard()
            elif not self._closed:
                await self._liveness.check()
            if limits is not None:
                found = [
                    r for r in found if r.offset < limits[self._cluster.options.outer_tp(r.tp)]
                ]
            yield found

    async def _connected(self) -> Consumer:
        options, credentials = self._cluster.options, self._cluster.credentials
        consumer = self._consumer = loner(options, credentials)
        try:
            async with asyncio.timeout(options.answer_s):
                await consumer.start()
        except KafkaConnectionError as error:
            raise await why_unreachable(options, credentials) from error
        except Failure as error:
            raise translated(error, options) from error
        return consumer

    async def close(self) -> None:
        self._closed = True
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.leave()
