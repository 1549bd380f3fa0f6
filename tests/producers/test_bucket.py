"""The bucket producer day by day, on MinIO: arrivals, replaced objects, odd keys."""

from __future__ import annotations

from typing import Any

from core.s3 import S3Connection
from tests.producers.buckets import Bucket, scratch, watching
from tests.producers.engine import Engine, announced, eventually, names, photo, sha256


async def test_what_lay_there_at_the_start_is_announced(engine: Engine, bucket: Bucket) -> None:
    uri = await bucket.drop("summer/a.jpg", "a")

    async with watching(engine, bucket) as producer:
        await producer.drained()
        assert producer.status.seen == producer.status.announced == 1

    (event,) = await engine.uploads()
    assert (event.data.uri, event.data.announcement) == (uri, 1)
    assert (event.data.filename, event.data.producer) == ("a.jpg", "bucket")
    assert await engine.blobs.get(event.data.blob_key) == photo("a")
    assert names(scratch(engine)) == set()


async def test_what_arrives_later_is_announced_by_its_notification_alone(
    engine: Engine, bucket: Bucket
) -> None:
    async with watching(engine, bucket) as producer:
        await eventually(lambda: producer.status.state == "watching")
        await producer.drained()
        listings = producer._listings

        for key in ("a.jpg", "album/b c+d.jpg", "notes.txt", "album/.hidden.jpg"):
            await bucket.drop(key, key)
        await eventually(lambda: producer.status.announced == 2)

        assert producer._listings == listings
        assert producer.status.seen == 2
    assert set(await announced(engine)) == {
        (f"{bucket.place}/a.jpg", 1),
        (f"{bucket.place}/album/b%20c%2Bd.jpg", 1),
    }


async def test_a_restart_announces_what_was_put_while_down_and_reads_nothing_again(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.drop("a.jpg", "a")
    async with watching(engine, bucket) as producer:
        await producer.drained()
    await bucket.drop("b.jpg", "b")
    noting = Noting(bucket.connection)

    async with watching(engine, bucket, connection=noting) as producer:
        await producer.drained()

        assert producer.status.announced == 1
        assert producer.status.seen == 2
    assert len(await announced(engine)) == 2
    assert noting.read == ["b.jpg"]


async def test_new_bytes_under_the_same_key_are_announced_again(
    engine: Engine, bucket: Bucket
) -> None:
    async with watching(engine, bucket) as producer:
        for text in ("one", "two", "one"):
            uri = await bucket.drop("a.jpg", text)
            await producer.drained()

    assert await announced(engine) == {
        (uri, 1): sha256(photo("one")),
        (uri, 2): sha256(photo("two")),
        (uri, 3): sha256(photo("one")),
    }


async def test_the_same_bytes_put_again_say_nothing_new(engine: Engine, bucket: Bucket) -> None:
    # In parts the same bytes have another etag: they are read again, and found to be the same.
    size = 5 << 20
    data = photo("a", size)

    async with watching(engine, bucket) as producer:
        await bucket.put("a.jpg", data)
        await producer.drained()
        await bucket.put("a.jpg", data)
        await producer.drained()
        await bucket.put("a.jpg", data, part_size=size)
        await producer.drained()
        await bucket.remove("a.jpg")
        await bucket.put("a.jpg", data)
        await producer.drained()

    assert len(await announced(engine)) == 1


async def test_the_same_bytes_under_two_keys_are_two_announcements_of_one_medium(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.drop("a.jpg", "same")
    await bucket.drop("album/b.jpg", "same")

    async with watching(engine, bucket) as producer:
        await producer.drained()

    events = await engine.uploads()
    assert len({event.data.media_id for event in events}) == 1
    assert len({event.root for event in events}) == 2


ODD = {
    "été 日本.jpg": "%C3%A9t%C3%A9%20%E6%97%A5%E6%9C%AC.jpg",
    "a b+c.jpg": "a%20b%2Bc.jpg",
    "100% #1?&=.jpg": "100%25%20%231%3F%26%3D.jpg",
    "%2B%20.jpg": "%252B%2520.jpg",
    "two\nlines\ttab.jpg": "two%0Alines%09tab.jpg",
    "<a>\"&'.jpg": "%3Ca%3E%22%26%27.jpg",
    "👗/👠.jpg": "%F0%9F%91%97/%F0%9F%91%A0.jpg",
    "/".join(["long" * 50] * 4) + "/a.jpg": "/".join(["long" * 50] * 4) + "/a.jpg",
}


async def test_odd_keys_become_valid_uris_whether_listed_or_notified(
    engine: Engine, bucket: Bucket
) -> None:
    listed, notified = list(ODD)[::2], list(ODD)[1::2]
    for key in listed:
        await bucket.drop(key, key)

    async with watching(engine, bucket) as producer:
        await eventually(lambda: producer.status.state == "watching")
        await eventually(lambda: producer.status.announced == len(listed))
        for key in notified:
            await bucket.drop(key, key)
        await eventually(lambda: producer.status.announced == len(ODD))
    async with watching(engine, bucket) as producer:
        await producer.drained()
        assert producer.status.announced == 0

    assert await announced(engine) == {
        (f"{bucket.place}/{name}", 1): sha256(photo(key)) for key, name in ODD.items()
    }


async def test_other_kinds_are_counted_and_what_is_hidden_or_unfinished_is_not(
    engine: Engine, bucket: Bucket
) -> None:
    counted = ("notes.txt", "album/b.TXT", "c.pdf", "README")
    uncounted = (".a.jpg", ".folder/a.jpg", "@eaDir/a.jpg", "a.jpg.part", "a.tmp", "b.CRDOWNLOAD")
    for key in (*counted, *uncounted):
        await bucket.drop(key, key)
    await bucket.put("folder.jpg/", b"")

    async with watching(engine, bucket) as producer:
        await producer.drained()

        assert producer.status.ignored == {".txt": 2, ".pdf": 1, "": 1}
        assert producer.status.seen == 0


async def test_an_object_over_the_limit_is_refused_once_a_version_and_not_read(
    engine: Engine, bucket: Bucket, lines: list[Any]
) -> None:
    noting = Noting(bucket.connection)
    await bucket.put("large.mp4", photo("large", 2000))
    await bucket.drop("small.jpg", "small")

    async with watching(engine, bucket, connection=noting, max_object_bytes=1000) as producer:
        await producer.drained()
        await producer.drained()
        assert producer.status.too_large == 1

        await bucket.put("large.mp4", photo("larger", 3000))
        await producer.drained()
        assert producer.status.too_large == 1
        assert noting.read == ["small.jpg"]

        await bucket.put("large.mp4", photo("shrunk", 900))
        await producer.drained()
        assert producer.status.too_large == 0
        await bucket.put("large.mp4", photo("larger", 3000))
        await producer.drained()
        assert producer.status.too_large == 1
        await bucket.put("large.mp4", photo("shrunk", 900))
        await producer.drained()
        assert producer.status.too_large == 0

    assert len(await announced(engine)) == 2
    refused = [line for line in lines if line["event"] == "object_refused"]
    assert [(line["key"], line["why"]) for line in refused] == [("large.mp4", "too_large")] * 3
    assert "TAGGER_BUCKET__MAX_OBJECT_MB" in refused[0]["reason"]


async def test_an_object_that_does_not_decode_is_announced_for_its_sender_to_get_a_reason(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.put("a.jpg", b"no picture")
    await bucket.put("empty.jpg", b"")

    async with watching(engine, bucket) as producer:
        await producer.drained()

    assert len(await announced(engine)) == 2


async def test_an_object_that_calls_itself_gzip_is_taken_as_it_is_stored(
    engine: Engine, bucket: Bucket
) -> None:
    await bucket.put("a.jpg", photo("a"), metadata={"Content-Encoding": "gzip"})

    async with watching(engine, bucket) as producer:
        await producer.drained()

    (event,) = await engine.uploads()
    assert await engine.blobs.get(event.data.blob_key) == photo("a")


async def test_originals_stay_as_they_are(engine: Engine, bucket: Bucket) -> None:
    await bucket.drop("a.jpg", "a")
    await bucket.put("b.mp4", photo("b", 1 << 20))

    def listed(client: Any) -> list[Any]:
        found = client.list_objects(bucket.name, recursive=True)
        return [(o.object_name, o.etag, o.size, o.last_modified) for o in found]

    before = await bucket.connection.call(listed)
    async with watching(engine, bucket) as producer:
        await producer.drained()

    assert await bucket.connection.call(listed) == before


class Noting:
    """A connection that notes which objects are read."""

    def __init__(self, connection: S3Connection) -> None:
        self._connection = connection
        self.endpoint = connection.endpoint
        self.read: list[str] = []

    async def call(self, job: Any) -> Any:
        return await self._connection.call(lambda client: job(_NotingClient(client, self.read)))


class _NotingClient:
    def __init__(self, client: Any, read: list[str]) -> None:
        self._client = client
        self._read = read

    def get_object(self, bucket: str, key: str) -> Any:
        self._read.append(key)
        return self._client.get_object(bucket, key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
