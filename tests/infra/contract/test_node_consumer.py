"""A subscriber in JavaScript that is told the document and the broker, on real servers."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from core.blobs.keys import data_key
from core.blobs.port import Blob
from core.blobs.s3 import S3BlobStore
from core.claimcheck import INLINE_LIMIT, encode_checked
from core.envelope import Event, dump, encode, encode_structured
from core.events import Data, ItemsMatched, MatchedItem, MediaTagged, encode_vector
from core.ids import content_hash
from core.log.port import Message
from core.settings import KafkaSettings
from infra.contract.document import as_yaml, asyncapi_document
from tests.core.samples import FRAME, ITEM, MEDIA, SAMPLES
from tests.infra.contract.conftest import Node
from tests.servers.kafka import kafka_bootstrap
from tests.servers.minio import minio_address
from tests.servers.s3 import connect, place_of

PATIENCE_S = 60
READ_ALL, NEWER_VERSION = 0, 3
MATCHED = SAMPLES["items.matched"].of(ItemsMatched)
TAGGED = SAMPLES["media.tagged"].of(MediaTagged)


@dataclass(frozen=True)
class Heard:
    """What a subscriber did: its exit status, what became of each record, what it holds."""

    status: int
    matched: list[dict[str, Any]]
    tagged: list[dict[str, Any]]
    held: dict[str, dict[str, int]]


class Deployment:
    """Two topics and a bucket of a test's own, and the document that tells a subscriber of them."""

    def __init__(self, node: Node, blobs: S3BlobStore, document: Path, prefix: str) -> None:
        self.blobs = blobs
        self._node = node
        self._document = document
        self._prefix = prefix

    async def publish(self, messages: Sequence[Message]) -> None:
        """In this order, compressed as the engine does unless told otherwise."""
        compression = KafkaSettings.model_fields["compression"].default
        async with AIOKafkaProducer(
            bootstrap_servers=kafka_bootstrap(), compression_type=compression
        ) as producer:
            for message in messages:
                await producer.send(
                    f"{self._prefix}.{message.topic}",
                    message.value,
                    message.key and message.key.encode(),
                    headers=[(name, text.encode()) for name, text in message.headers.items()],
                )

    async def subscriber(self, count: int) -> Heard:
        """Runs one until it has read so many records."""
        done = await asyncio.to_thread(
            self._node, "consumer.mjs", self._document, kafka_bootstrap(), count, PATIENCE_S
        )
        assert done.returncode in (READ_ALL, NEWER_VERSION), done.stdout + done.stderr
        *lines, held = [json.loads(line) for line in done.stdout.splitlines()]
        by_topic: dict[str, list[dict[str, Any]]] = {"items.matched": [], "media.tagged": []}
        for line in lines:
            by_topic[line.pop("topic").removeprefix(f"{self._prefix}.")].append(line)
        return Heard(done.returncode, by_topic["items.matched"], by_topic["media.tagged"], held)


@pytest.fixture
async def deployment(node: Node, tmp_path: Path) -> AsyncIterator[Deployment]:
    prefix, bucket = f"test-{uuid.uuid4().hex}", place_of(tmp_path)
    store = minio_address()
    document = asyncapi_document(kafka_bootstrap(), f"{store['endpoint']}/{bucket}")
    for channel in document["channels"].values():
        channel["address"] = f"{prefix}.{channel['address']}"
    path = tmp_path / "asyncapi.yaml"
    path.write_text(as_yaml(document))

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap())
    await admin.start()
    topics = [f"{prefix}.{event.data.topic}" for event in (MATCHED, TAGGED)]
    await admin.create_topics([NewTopic(name, 3, 1) for name in topics])

    connection = connect(store)
    blobs = await S3BlobStore.open(connection, bucket)
    await connection.call(lambda client: client.set_bucket_policy(bucket, _open_to_read(bucket)))
    yield Deployment(node, blobs, path, prefix)
    await blobs.close()
    await connection.close()
    await admin.delete_topics(topics)
    await admin.close()


async def test_a_subscriber_needs_the_document_and_the_broker_only(deployment: Deployment) -> None:
    first = matched(1, [0.6, 0.8])
    corrected = matched(1, [0.8, 0.6], items=2)
    large = matched(2, [0.0, 1.0], notes=["x" * INLINE_LIMIT])
    foreign = matched(3, [1.0, 0.0])
    checked = await encode_checked(large, dump(large.data), deployment.blobs)
    newest = tagged(3)
    await deployment.publish(
        [
            encode(first),
            encode(first),
            encode(corrected),
            checked,
            encode_structured(foreign),
            encode(tagged(1)),
            encode(newest),
            encode(tagged(2)),
            encode(newest),
        ]
    )

    heard = await deployment.subscriber(9)

    inline = {"structured": False, "referred": False, "wrong": []}
    assert heard.matched == [
        {"id": first.id, **inline, "items": 1, "vector": approximately(0.6, 0.8)},
        {"id": first.id, "ignored": "repeat"},
        {"id": corrected.id, **inline, "items": 2, "vector": approximately(0.8, 0.6)},
        {"id": large.id, **inline, "referred": True, "items": 1, "vector": [0, 1]},
        {"id": foreign.id, **inline, "structured": True, "items": 1, "vector": [1, 0]},
    ]
    assert heard.tagged == [
        {"id": tagged(1).id, **inline, "revision": 1},
        {"id": newest.id, **inline, "revision": 3},
        {"id": tagged(2).id, **inline, "ignored": "older"},
        {"id": newest.id, "ignored": "repeat"},
    ]
    assert heard.held == {
        "frames": {frame_id(1): 2, frame_id(2): 1, frame_id(3): 1},
        "media": {MEDIA: 3},
    }
    assert checked.value == b""
    assert heard.status == READ_ALL


async def test_a_large_structured_event_is_resolved_too(deployment: Deployment) -> None:
    message = encode_structured(matched(1, [0.6, 0.8]))
    envelope = json.loads(message.value or b"")
    data = json.dumps(envelope.pop("data")).encode()
    key = data_key("items.matched", content_hash(data))
    await deployment.blobs.put([Blob(key, data, "application/json")])
    value = json.dumps({**envelope, "dataref": key}).encode()
    await deployment.publish([replace(message, value=value)])

    heard = await deployment.subscriber(1)

    (event,) = heard.matched
    assert event["structured"]
    assert event["referred"]
    assert event["wrong"] == []
    assert event["items"] == 1


async def test_what_breaks_the_contract_is_named_and_not_taken(deployment: Deployment) -> None:
    good, broken = encode(tagged(1)), encode(tagged(2))
    data = json.loads(broken.value or b"")
    del data["status"]
    await deployment.publish([good, replace(broken, value=json.dumps(data).encode())])

    heard = await deployment.subscriber(2)

    assert heard.tagged[1]["wrong"] == ["must have required property 'status'"]
    assert heard.held["media"] == {MEDIA: 1}


async def test_a_tombstone_takes_back_what_was_said(deployment: Deployment) -> None:
    said = encode(tagged(1))
    await deployment.publish([said, replace(said, value=None, headers={})])

    heard = await deployment.subscriber(2)

    assert heard.tagged[1:] == [{"ignored": "tombstone"}]
    assert heard.held["media"] == {}


async def test_a_newer_major_version_stops_a_subscriber(deployment: Deployment) -> None:
    newer = encode(tagged(2))
    newer = replace(newer, headers={**newer.headers, "ce_type": "media.tagged.v2"})
    await deployment.publish([encode(tagged(1)), newer, encode(tagged(3))])

    heard = await deployment.subscriber(3)

    assert heard.tagged[1:] == [{"newer": "media.tagged.v2"}]
    assert heard.held["media"] == {MEDIA: 1}
    assert heard.status == NEWER_VERSION


def matched(
    frame: int, vector: list[float], items: int = 1, notes: Sequence[str] = ()
) -> Event[Data]:
    encoded = encode_vector(np.array(vector, np.float32))
    data = ItemsMatched(
        media_id=MEDIA,
        frame=FRAME.model_copy(update={"frame_id": frame_id(frame)}),
        embedder="lite-1",
        items=[MatchedItem(**ITEM, vector=encoded)] * items,
        notes=list(notes),
        reason="no_catalog",
    )
    return replace(MATCHED, id=f"matched-{frame}-{items}", frame=frame_id(frame), data=data)


def tagged(revision: int) -> Event[Data]:
    data = TAGGED.data.model_copy(update={"revision": revision})
    return replace(TAGGED, id=f"tagged-{revision}", data=data)


def frame_id(number: int) -> str:
    return f"{MEDIA}/{number:09d}"


def approximately(*vector: float) -> Any:
    return pytest.approx(list(vector), abs=1e-6)


def _open_to_read(bucket: str) -> str:
    """The policy of a bucket whose ``data/`` everybody may read."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/data/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
