"""What servers keep of a cluster, as JSON lines, and back into empty servers.

Told by the servers' own clients, so that no change of ours changes what is told. One object a line:

``topic``       name, partitions, and the configuration that is not the broker's.
``record``      topic, partition, offset, time in milliseconds, key, headers, value.
``group``       name, and [topic, partition, offset, metadata] of what it has committed.
``object``      key, content type and data, in the engine's bucket or the watched one.
``collection``  name, vectors, metadata, indexed fields, points.
``alias``       name, and the collection that it points at.

Bytes are in base64. Names of topics and groups are without their prefix.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata
from minio import Minio
from qdrant_client import QdrantClient, models

from tests.servers.session import Address

Line = dict[str, Any]

_OF_THE_TOPIC = 1
_PAGE = 1000
_PUTS_AT_ONCE = 8


async def dump_kafka(bootstrap: str, prefix: str) -> list[Line]:
    """Topics, records and groups whose names begin with the prefix."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = sorted(name for name in await admin.list_topics() if name.startswith(prefix))
        described = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(names)}
        lines = []
        for name in names:
            asked = [ConfigResource(ConfigResourceType.TOPIC, name)]
            [answer] = await admin.describe_configs(asked)
            [(_, _, _, _, entries)] = answer.resources
            config = {
                key: value for key, value, _, source, *_ in entries if source == _OF_THE_TOPIC
            }
            lines.append(
                {
                    "kind": "topic",
                    "name": name.removeprefix(prefix),
                    "partitions": described[name],
                    "config": config,
                }
            )
        tps = [TopicPartition(name, n) for name in names for n in range(described[name])]
        lines += await _records(bootstrap, prefix, tps)
        for group, *_ in sorted(await admin.list_consumer_groups()):
            if group.startswith(prefix):
                found = await admin.list_consumer_group_offsets(group)
                offsets = [
                    [tp.topic.removeprefix(prefix), tp.partition, at.offset, at.metadata]
                    for tp, at in sorted(found.items())
                    if at.offset >= 0
                ]
                name = group.removeprefix(prefix)
                lines.append({"kind": "group", "name": name, "offsets": offsets})
        return lines
    finally:
        await admin.close()


async def _records(bootstrap: str, prefix: str, tps: list[TopicPartition]) -> list[Line]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        lines = []
        ends = await consumer.end_offsets(tps)
        for tp in tps:
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            while await consumer.position(tp) < ends[tp]:
                record = await consumer.getone(tp)
                lines.append(
                    {
                        "kind": "record",
                        "topic": tp.topic.removeprefix(prefix),
                        "partition": tp.partition,
                        "offset": record.offset,
                        "time": record.timestamp,
                        "key": _text(record.key),
                        "headers": [[name, _text(value)] for name, value in record.headers],
                        "value": _text(record.value),
                    }
                )
        return lines
    finally:
        await consumer.stop()


def dump_objects(client: Minio, bucket: str, kind: str) -> Iterator[Line]:
    for entry in client.list_objects(bucket, recursive=True):
        with client.get_object(bucket, entry.object_name) as answer:
            data, content = answer.read(), answer.headers["content-type"]
        yield {"kind": kind, "key": entry.object_name, "content": content, "data": _text(data)}


def dump_vectors(client: QdrantClient) -> Iterator[Line]:
    for name in sorted(one.name for one in client.get_collections().collections):
        info = client.get_collection(name)
        vectors = info.config.params.vectors
        assert isinstance(vectors, dict)
        points, rest = client.scroll(name, limit=_PAGE, with_payload=True, with_vectors=True)
        assert rest is None
        yield {
            "kind": "collection",
            "name": name,
            "vectors": {key: one.model_dump(exclude_none=True) for key, one in vectors.items()},
            "metadata": info.config.metadata,
            "indexed": sorted(info.payload_schema),
            "points": [
                {"id": one.id, "vector": one.vector, "payload": one.payload} for one in points
            ],
        }
    for one in client.get_aliases().aliases:
        yield {"kind": "alias", "name": one.alias_name, "collection": one.collection_name}


async def load_kafka(lines: Iterable[Line], bootstrap: str, prefix: str) -> None:
    """Records get their old offsets, and new times: those are the broker's to give."""
    told = list(lines)
    topics = [line for line in told if line["kind"] == "topic"]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(prefix + line["name"], line["partitions"], 1, topic_configs=line["config"])
                for line in topics
            ]
        )
    finally:
        await admin.close()
    await _publish([line for line in told if line["kind"] == "record"], bootstrap, prefix)
    groups = [line for line in told if line["kind"] == "group"]
    await asyncio.gather(*(_commit(line, bootstrap, prefix) for line in groups))


async def _publish(records: list[Line], bootstrap: str, prefix: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        sent = [
            await producer.send(
                prefix + line["topic"],
                value=_bytes(line["value"]),
                key=_bytes(line["key"]),
                partition=line["partition"],
                headers=[(name, _bytes(value)) for name, value in line["headers"]],
            )
            for line in records
        ]
        told = await asyncio.gather(*sent)
        assert [each.offset for each in told] == [line["offset"] for line in records]
    finally:
        await producer.stop()


async def _commit(line: Line, bootstrap: str, prefix: str) -> None:
    offsets = {
        TopicPartition(prefix + topic, partition): OffsetAndMetadata(offset, metadata)
        for topic, partition, offset, metadata in line["offsets"]
    }
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=prefix + line["name"], enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()


def load_objects(lines: Iterable[Line], kind: str, client: Minio, bucket: str) -> None:
    client.make_bucket(bucket)

    def put(line: Line) -> None:
        data = _bytes(line["data"]) or b""
        client.put_object(
            bucket, line["key"], io.BytesIO(data), len(data), content_type=line["content"]
        )

    with ThreadPoolExecutor(_PUTS_AT_ONCE) as pool:
        list(pool.map(put, [line for line in lines if line["kind"] == kind]))


def load_vectors(lines: Iterable[Line], client: QdrantClient) -> None:
    for line in lines:
        if line["kind"] == "collection":
            name = line["name"]
            vectors = {key: models.VectorParams(**one) for key, one in line["vectors"].items()}
            client.create_collection(name, vectors)
            for field in line["indexed"]:
                client.create_payload_index(name, field, models.PayloadSchemaType.KEYWORD)
            client.update_collection(name, metadata=line["metadata"])
            client.upsert(name, [models.PointStruct(**point) for point in line["points"]])
        elif line["kind"] == "alias":
            move = models.CreateAlias(collection_name=line["collection"], alias_name=line["name"])
            client.update_collection_aliases([models.CreateAliasOperation(create_alias=move)])


def minio_client(address: Address) -> Minio:
    host = urlsplit(address["endpoint"]).netloc
    secure = address["endpoint"].startswith("https")
    return Minio(host, address["access_key"], address["secret_key"], secure=secure)


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
