"""MinIO's notifications as a topic holds them, taken as hints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import SettingsError
from core.log.port import Message, TopicSpec
from core.runtime.retry import RetryPolicy
from producers.bucket_topic import TopicNotices
from producers.objects import Version
from producers.records import created
from tests.memory_log import MemoryEventLog
from tests.producers.buckets import Bucket, watching
from tests.producers.engine import Engine, announced, eventually, photo

TOPIC = "bucket-events"
RETRY = RetryPolicy(base_s=0.05, cap_s=0.1)

# What MinIO (RELEASE.2025-09-07T16-13-09Z) sends of a put, but for hosts and names.
RECORD = {
    "eventVersion": "2.0",
    "eventSource": "minio:s3",
    "awsRegion": "",
    "eventTime": "2026-11-25T10:40:11.285Z",
    "eventName": "s3:ObjectCreated:Put",
    "userIdentity": {"principalId": "minio"},
    "requestParameters": {"principalId": "minio", "region": "", "sourceIPAddress": "127.0.0.1"},
    "responseElements": {
        "x-amz-id-2": "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8",
        "x-amz-request-id": "18EB43105769E31F",
        "x-minio-deployment-id": "6a2d5b2b-5a4e-44f8-8a0f-6c5c3a3e2b1d",
        "x-minio-origin-endpoint": "http://127.0.0.1:9000",
    },
    "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "Config",
        "bucket": {
            "name": "drop",
            "ownerIdentity": {"principalId": "minio"},
            "arn": "arn:aws:s3:::drop",
        },
        "object": {
            "key": "album%2Fa+b%2Bc.jpg",
            "size": 3,
            "eTag": "202cb962ac59075b964b07152d234b70",
            "contentType": "application/octet-stream",
            "userMetadata": {"content-type": "application/octet-stream"},
            "sequencer": "18EB43105B0A3C4E",
        },
    },
    "source": {
        "host": "127.0.0.1",
        "port": "",
        "userAgent": "MinIO (Linux; x86_64) minio-py/7.2.20",
    },
}


def value(bucket: str, key: str, event: str = "s3:ObjectCreated:Put", **changed: Any) -> bytes:
    """A record's value as MinIO's Kafka target writes it; ``key`` is URL-encoded."""
    entry = json.loads(json.dumps(RECORD))
    entry["eventName"] = event
    entry["s3"]["bucket"]["name"] = bucket
    entry["s3"]["object"] |= {"key": key} | changed
    return json.dumps({"EventName": event, "Key": f"{bucket}/{key}", "Records": [entry]}).encode()


def test_a_put_names_its_version() -> None:
    text = value("drop", "album%2Fa+b%2Bc.jpg")

    assert created(text, "drop", encoded=True) == [
        Version("album/a b+c.jpg", "202cb962ac59075b964b07152d234b70", 3)
    ]


def test_other_buckets_and_other_events_are_skipped() -> None:
    assert created(value("other", "a.jpg"), "drop", encoded=True) == []
    for event in ("s3:ObjectRemoved:Delete", "s3:ObjectAccessed:Head"):
        assert created(value("drop", "a.jpg", event), "drop", encoded=True) == []


def test_parts_put_together_and_events_of_aws_are_puts_too() -> None:
    for event in ("s3:ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Put"):
        assert len(created(value("drop", "a.jpg", event), "drop", encoded=True)) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"no json", b"[]", b'{"other": 1}', b'{"Records": [1]}'),
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put"}]}',
        b'{"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": "drop"}}}]}',
        b'{"Records": "\xff"}',
    ],
)
def test_what_is_no_notification_is_logged_and_ignored(text: bytes, lines: list[Any]) -> None:
    assert created(text, "drop", encoded=True) == []

    assert [line["event"] for line in lines] == ["notification_ignored"]


def test_an_empty_notification_shows_that_the_server_is_there(lines: list[Any]) -> None:
    assert created(b'{"Records": null}', "drop", encoded=True) == []

    assert lines == []


async def test_what_a_topic_tells_of_is_announced_without_waiting_for_a_listing(
    engine: Engine, bucket: Bucket
) -> None:
    await engine.log.create_topics([TopicSpec(TOPIC)])
    notices = TopicNotices(engine.log, TOPIC, bucket.name, retry=RETRY)
    await engine.log.publish([Message(TOPIC, None, b"from before: not read")])

    async with watching(engine, bucket, notices=notices) as producer:
        await eventually(lambda: producer.status.state == "watching")
        await producer.drained()
        listings = producer._listings
        await bucket.drop("a b+c.jpg", "a")
        await engine.log.publish(
            [
                Message(TOPIC, "broken", b"no json"),
                Message(TOPIC, "gone", value(bucket.name, "gone.jpg")),
                Message(TOPIC, f"{bucket.name}/a b+c.jpg", value(bucket.name, "a+b%2Bc.jpg")),
            ]
        )
        await eventually(lambda: producer.status.announced == 1)
        await eventually(lambda: producer.status.arriving == 0)

        assert producer._listings == listings
    assert set(await announced(engine)) == {(f"{bucket.place}/a%20b%2Bc.jpg", 1)}


async def test_a_hint_that_came_late_says_nothing_new(engine: Engine, bucket: Bucket) -> None:
    await engine.log.create_topics([TopicSpec(TOPIC)])
    notices = TopicNotices(engine.log, TOPIC, bucket.name, retry=RETRY)
    await bucket.drop("a.jpg", "a")

    async with watching(engine, bucket, notices=notices) as producer:
        await producer.drained()
        await engine.log.publish([Message(TOPIC, None, value(bucket.name, "a.jpg"))] * 3)
        await bucket.drop("b.jpg", "b")
        hint = value(bucket.name, "b.jpg", eTag="older", size=len(photo("b")))
        await engine.log.publish([Message(TOPIC, None, hint)])
        await eventually(lambda: producer.status.announced == 2)
        await producer.drained()

    assert len(await announced(engine)) == 2


async def test_a_topic_that_was_away_is_followed_again_and_the_bucket_listed(
    engine: Engine, bucket: Bucket
) -> None:
    log = MemoryEventLog(seed=1)
    await log.create_topics([TopicSpec(TOPIC)])
    notices = TopicNotices(log, TOPIC, bucket.name, retry=RETRY)

    async with watching(engine, bucket, notices=notices) as producer:
        await eventually(lambda: producer.status.state == "watching")
        log.broker.away = True
        await eventually(lambda: producer.status.state == "polling")
        log.broker.away = False
        await eventually(lambda: producer.status.state == "watching")
        await bucket.drop("a.jpg", "a")
        await producer.drained()

    assert len(await announced(engine)) == 1


async def test_a_topic_that_does_not_exist_ends_the_producer(
    engine: Engine, bucket: Bucket
) -> None:
    notices = TopicNotices(engine.log, "nowhere", bucket.name, retry=RETRY)

    with pytest.raises(SettingsError, match="nowhere"):
        async with watching(engine, bucket, notices=notices) as producer:
            await producer.drained()
