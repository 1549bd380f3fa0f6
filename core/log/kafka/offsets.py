"""Offsets of partitions and groups, asked from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping

import aiokafka
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownMemberIdError, for_code

from core.errors import BusyError, SettingsError
from core.log.kafka.asking import Clients, Queries
from core.log.kafka.options import KafkaOptions
from core.log.kafka.topics import Topics
from core.log.port import TopicPartition

Offsets = dict[TopicPartition, int]


class GroupOffsets:
    """Each answer is of one moment for each partition, not of one moment for all."""

    def __init__(self, options: KafkaOptions, queries: Queries, topics: Topics) -> None:
        self._options = options
        self._queries = queries
        self._topics = topics

    async def begin(self, topics: Collection[str]) -> Offsets:
        tps = self._outer(await self._topics.all_of(topics))
        return self._inner(await self._queries.ask(lambda c: c.reader.beginning_offsets(tps)))

    async def end(self, topics: Collection[str]) -> Offsets:
        tps = self._outer(await self._topics.all_of(topics))
        return self._inner(await self._queries.ask(lambda c: c.reader.end_offsets(tps)))

    async def at(self, topic: str, timestamp: int) -> Offsets:
        tps = self._outer(await self._topics.all_of([topic]))
        times = dict.fromkeys(tps, max(0, timestamp))
        found = await self._queries.ask(lambda c: c.reader.offsets_for_times(dict(times)))
        late = [tp for tp in tps if found[tp] is None]
        ends = await self._queries.ask(lambda c: c.reader.end_offsets(late)) if late else {}
        return self._inner({tp: ends[tp] if tp in ends else found[tp].offset for tp in tps})

    async def committed(self, group: str) -> Offsets:
        name = self._options.outer(group)
        found = await self._queries.ask(lambda c: c.admin.list_consumer_group_offsets(name))
        return self._inner({tp: meta.offset for tp, meta in found.items() if meta.offset >= 0})

    async def forgotten_after_s(self) -> float:
        """How long a broker remembers the offsets of a group without members, in seconds."""

        async def question(clients: Clients) -> float:
            broker = str(await clients.admin.any_broker())
            setting = "offsets.retention.minutes"
            asked = ConfigResource(ConfigResourceType.BROKER, broker, {setting: None})
            [answer] = await clients.admin.describe_configs([asked])
            [(code, _, _, _, entries)] = answer.resources
            if code:
                raise for_code(code)(broker)
            return 60.0 * int(entries[0][1])

        return await self._queries.ask(question)

    async def set(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises BusyError, naming the members that consume the group."""
        counts = await self._topics.partitions({tp.topic for tp in offsets})
        for tp, offset in offsets.items():
            if not 0 <= tp.partition < counts[tp.topic] or offset < 0:
                raise SettingsError(f"group {group!r}: there is no offset {offset} of {tp}")
        outer = dict(zip(self._outer(offsets), offsets.values(), strict=True))
        name = self._options.outer(group)

        async def question(clients: Clients) -> None:
            (answer,) = await clients.admin.describe_consumer_groups([name])
            members = [f"{member[1]} ({member[2]})" for member in answer.groups[0][5]]
            try:
                await clients.admin.commit(name, outer)
            except UnknownMemberIdError as refused:
                who = ", ".join(members) or "somebody who just joined"
                raise BusyError(
                    f"consumer group {group!r} is consumed by {who}; stop that first"
                ) from refused

        await self._queries.ask(question)

    async def lag(self, group: str, topics: Collection[str]) -> Offsets:
        begins, ends, done = await asyncio.gather(
            self.begin(topics), self.end(topics), self.committed(group)
        )
        return {tp: max(0, end - max(begins[tp], done.get(tp, 0))) for tp, end in ends.items()}

    async def groups(self) -> list[str]:
        found = await self._queries.ask(lambda c: c.admin.list_consumer_groups())
        names = (self._options.inner(group[0]) for group in found)
        return sorted(name for name in names if name)

    def _outer(self, tps: Iterable[TopicPartition]) -> list[aiokafka.TopicPartition]:
        return [self._options.outer_tp(tp) for tp in tps]

    def _inner(self, offsets: Mapping[aiokafka.TopicPartition, int]) -> Offsets:
        return {
            self._options.inner_tp(tp): offset
            for tp, offset in offsets.items()
            if self._options.inner(tp.topic)
        }
