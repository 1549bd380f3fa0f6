"""How topics are made and told of on a cluster, and reading them without a group."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from core.errors import SettingsError, StageStopError
from core.log.kafka.options import KafkaOptions
from core.log.port import Message, TopicPartition, TopicSpec
from tests.contracts.reading import join
from tests.core.log.kafka.clients import opened, options
from tests.servers.kafka import console_consumer, kafka_bootstrap

KEPT = [
    TopicSpec("ever", partitions=2),
    TopicSpec("week", partitions=1, retention_s=7 * 86_400.0),
    TopicSpec("newest", partitions=1, compacted=True),
    TopicSpec("newest.week", partitions=1, retention_s=7 * 86_400.0, compacted=True),
]


@pytest.fixture
def ours() -> KafkaOptions:
    return options(kafka_bootstrap())


async def test_topics_are_told_as_they_were_made(ours: KafkaOptions) -> None:
    async with opened(ours) as log:
        await log.create_topics(KEPT)
        await log.create_topics(KEPT)

        described = await log.described()

        assert {name: topic.spec for name, topic in described.items()} == {
            spec.name: spec for spec in KEPT
        }
        assert await log.topics() == {spec.name: spec for spec in KEPT}
        assert {topic.replicas for topic in described.values()} == {1}


async def test_drift_of_a_topic_that_others_made_is_told(ours: KafkaOptions) -> None:
    kept = {"retention.ms": "60000", "message.timestamp.type": "CreateTime"}
    await make(ours, NewTopic(ours.outer("looks"), 3, 1, topic_configs=kept))

    async with opened(ours) as log:
        await log.create_topics([TopicSpec("looks", partitions=8)])

        looks = (await log.described())["looks"]

    assert looks.spec == TopicSpec("looks", 3, retention_s=60.0, append_times=False)


async def test_more_replicas_than_brokers_is_a_settings_error(ours: KafkaOptions) -> None:
    async with opened(replace(ours, replication_factor=5)) as log:
        with pytest.raises(SettingsError, match="looks"):
            await log.create_topics([TopicSpec("looks")])

        assert await log.topics() == {}


async def test_a_prefix_separates_engines_and_is_seen_by_none(ours: KafkaOptions) -> None:
    theirs = replace(ours, prefix=f"test-{uuid.uuid4().hex}.")
    async with opened(ours) as log, opened(theirs) as other:
        for each in (log, other):
            await each.create_topics([TopicSpec("looks", partitions=2)])
        await join(log, "g", ["looks"])
        await log.publish([Message("looks", "k", b"ours")])

        records = [record async for record in log.tail(["looks"], "earliest", follow=False)]
        assert [(record.topic, record.value) for record in records] == [("looks", b"ours")]
        assert [r async for r in other.tail(["looks"], "earliest", follow=False)] == []
        assert list(await log.topics()) == list(await other.topics()) == ["looks"]
        assert (await log.groups(), await other.groups()) == (["g"], [])


async def test_kafkas_own_consumer_reads_keys_headers_and_values(ours: KafkaOptions) -> None:
    async with opened(ours) as log:
        await log.create_topics([TopicSpec("looks", partitions=1)])
        await log.publish([Message("looks", "k", b"v", {"ce_id": "1", "ce_type": "t.v1"})])

    shown = ("print.key", "print.headers")
    lines = await asyncio.to_thread(
        console_consumer,
        ours.bootstrap_servers,
        ours.outer("looks"),
        1,
        *(word for name in shown for word in ("--formatter-property", f"{name}=true")),
    )

    assert "ce_id:1,ce_type:t.v1\tk\tv" in lines


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
async def test_large_messages_come_through(compression: str, ours: KafkaOptions) -> None:
    large = [Message("looks", "k", bytes([n]) * 1_000_000) for n in range(5)]
    async with opened(replace(ours, compression=compression)) as log:
        await log.create_topics([TopicSpec("looks", partitions=2)])

        await log.publish(large)

        tail = log.tail(["looks"], "earliest", follow=False)
        assert [record.value async for record in tail] == [message.value for message in large]


async def test_a_message_that_is_too_large_harms_no_other(ours: KafkaOptions) -> None:
    async with opened(replace(ours, compression="none")) as log:
        await log.create_topics([TopicSpec("looks", partitions=1)])
        await log.publish([Message("looks", "k", b"1")])

        with pytest.raises(StageStopError, match=r"max\.message\.bytes"):
            await log.publish([Message("looks", "k", bytes(4_000_000))])
        await log.publish([Message("looks", "k", b"2")])

        tail = log.tail(["looks"], "earliest", follow=False)
        assert [record.value async for record in tail] == [b"1", b"2"]


async def test_a_tail_ends_where_compaction_left_holes(ours: KafkaOptions) -> None:
    quickly = {
        "cleanup.policy": "compact",
        "segment.bytes": "1048576",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
    }
    await make(ours, NewTopic(ours.outer("tagged"), 1, 1, topic_configs=quickly))
    only = TopicPartition("tagged", 0)
    async with opened(replace(ours, compression="none")) as log:
        for n in range(30):
            await log.publish([Message("tagged", f"key-{n % 3}", bytes([n]) * 100_000)])

        async with asyncio.timeout(60):
            while True:
                tail = log.tail(["tagged"], "earliest", follow=False)
                records = [record async for record in tail]
                if len(records) < 30:
                    break
                await asyncio.sleep(0.5)

        newest = {record.key: (record.value or b"")[0] for record in records}
        assert newest == {"key-0": 27, "key-1": 28, "key-2": 29}
        assert await log.end_offsets(["tagged"]) == {only: 30}
        assert [r.offset async for r in log.tail(["tagged"], {only: 29}, follow=False)] == [29]


async def test_a_tail_passes_over_the_marks_of_transactions(ours: KafkaOptions) -> None:
    async with opened(ours) as log:
        await log.create_topics([TopicSpec("looks", partitions=1)])
        producer = AIOKafkaProducer(
            bootstrap_servers=ours.bootstrap_servers, transactional_id=ours.outer("foreign")
        )
        async with producer:
            async with producer.transaction():
                await producer.send_and_wait(ours.outer("looks"), b"kept")
            await producer.begin_transaction()
            await producer.send_and_wait(ours.outer("looks"), b"dropped")
            await producer.abort_transaction()

        tail = log.tail(["looks"], "earliest", follow=False)
        assert [(record.offset, record.value) async for record in tail] == [(0, b"kept")]
        assert await log.end_offsets(["looks"]) == {TopicPartition("looks", 0): 4}


async def make(which: KafkaOptions, topic: NewTopic) -> None:
    """A topic that another tool made."""
    admin = AIOKafkaAdminClient(bootstrap_servers=which.bootstrap_servers)
    await admin.start()
    await admin.create_topics([topic])
    await admin.close()
