"""Topics of a cluster: making them, and how they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from core.errors import OutageError, SettingsError
from core.log.kafka.asking import Clients, Queries
from core.log.kafka.errors import translated
from core.log.kafka.options import KafkaOptions
from core.log.port import TopicPartition, TopicSpec

_FOR_EVER = -1
_LARGEST_BATCH = 2 * 2**20
_SEEN_S = 10.0
_LOOK_AGAIN_S = 0.02
_KEPT = ("retention.ms", "cleanup.policy", "message.timestamp.type")


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic as the cluster has it.

    Attributes:
        replicas: copies of its first partition.
    """

    spec: TopicSpec
    replicas: int


class Topics:
    """Remembers how many partitions a topic has: they are fixed when it is made."""

    def __init__(self, options: KafkaOptions, queries: Queries) -> None:
        self._options = options
        self._queries = queries
        self._counts: dict[str, int] = {}

    async def create(self, specs: Sequence[TopicSpec]) -> None:
        """Makes those that are missing, and leaves the others as they are.

        Raises:
            SettingsError: the cluster does not accept one, e.g. too many replicas.
        """
        known = await self._find([spec.name for spec in specs])
        missing = [spec for spec in specs if spec.name not in known]
        if not missing:
            return
        new = [self._new(spec) for spec in missing]
        answer = await self._queries.ask(lambda clients: clients.admin.create_topics(new))
        for name, code, *message in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise translated(error(f"{name}: {' '.join(map(str, message))}"), self._options)
        await self._seen([spec.name for spec in missing])

    async def _seen(self, names: list[str]) -> None:
        """The controller has made them; a broker hears of it a moment later."""
        try:
            async with asyncio.timeout(_SEEN_S):
                while not self._counts.keys() >= set(names):
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    await self._find(names)
        except TimeoutError as error:
            raise OutageError(
                f"Kafka at {self._options.bootstrap_servers} made topics and does not know them yet"
            ) from error

    def _new(self, spec: TopicSpec) -> NewTopic:
        retention = _FOR_EVER if spec.retention_s is None else int(spec.retention_s * 1000)
        policies = ["compact"] * spec.compacted
        if not spec.compacted or spec.retention_s is not None:
            policies.append("delete")
        factor = self._options.replication_factor
        return NewTopic(
            self._options.outer(spec.name),
            spec.partitions,
            factor,
            replica_assignments={} if factor == -1 else None,  # else it refuses to ask for -1
            topic_configs={
                "retention.ms": str(retention),
                "cleanup.policy": ",".join(policies),
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(_LARGEST_BATCH),
            },
        )

    async def described(self) -> dict[str, KafkaTopic]:
        """Every topic of ours, as it is kept in truth."""

        async def question(clients: Clients) -> dict[str, KafkaTopic]:
            found = {
                topic["topic"]: topic["partitions"]
                for topic in await clients.admin.describe_topics()
                if not topic["is_internal"] and topic["partitions"]
            }
            names = {outer: name for outer in found if (name := self._options.inner(outer))}
            asked = [
                ConfigResource(ConfigResourceType.TOPIC, outer, dict.fromkeys(_KEPT))
                for outer in names
            ]
            described = {}
            for answer in await clients.admin.describe_configs(asked):
                for code, _, _, outer, entries in answer.resources:
                    if code:
                        raise for_code(code)(outer)
                    kept = {name: value for name, value, *_ in entries}
                    inner, partitions = names[outer], found[outer]
                    described[inner] = _topic(inner, len(partitions), kept, partitions[0])
            return described

        return await self._queries.ask(question)

    async def partitions(self, topics: Collection[str]) -> dict[str, int]:
        """How many each has; raises SettingsError, naming one that does not exist."""
        if not self._counts.keys() >= set(topics):
            await self._find(topics)
        for name in topics:
            if name not in self._counts:
                raise SettingsError(f"there is no topic {name!r}; create it before it is used")
        return {name: self._counts[name] for name in topics}

    async def all_of(self, topics: Collection[str]) -> list[TopicPartition]:
        """Every partition of these topics."""
        counts = await self.partitions(topics)
        return [TopicPartition(name, n) for name, count in counts.items() for n in range(count)]

    def forget(self) -> None:
        """Looks again at the next use: a topic may be gone."""
        self._counts.clear()

    async def _find(self, topics: Collection[str]) -> dict[str, int]:
        outer = {self._options.outer(name): name for name in topics}
        found = await self._queries.ask(lambda clients: clients.admin.partition_counts(list(outer)))
        self._counts |= {outer[name]: count for name, count in found.items()}
        return self._counts


def _topic(
    name: str, partitions: int, kept: dict[str, str], first: dict[str, list[int]]
) -> KafkaTopic:
    policies = kept["cleanup.policy"].split(",")
    retention = int(kept["retention.ms"])
    limited = retention != _FOR_EVER and "delete" in policies
    spec = TopicSpec(
        name,
        partitions,
        retention / 1000 if limited else None,
        compacted="compact" in policies,
        append_times=kept["message.timestamp.type"] == "LogAppendTime",
    )
    return KafkaTopic(spec, len(first["replicas"]))
