"""Every stage its own process, on a real broker and a real S3 server: results as on one machine.

Equal to those of one machine means: all of a result, scores to 1e-4, but for ``cached``, the
revision and, where the files came another way, the names and places of the uploads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from minio import Minio
from minio.notificationconfig import NotificationConfig, QueueConfig

from core.events import MediaTagged
from core.log.port import TopicSpec
from core.settings import Settings
from infra.wiring.adapters import open_log
from tests.chaos import kept
from tests.chaos.cluster import Cluster, cluster, new_name
from tests.chaos.media import write_looks, write_shop
from tests.chaos.tagger import Tagger
from tests.servers.kafka import console_consumer, kafka_bootstrap
from tests.servers.minio import MinioServer
from tests.servers.session import Address

PRODUCTS, PICTURES, FILMS = 6, 8, 1
WITHIN_S = 120.0
_ARN = "arn:minio:sqs::DROPS:kafka"


@pytest.fixture
def looks(tmp_path: Path) -> list[Path]:
    write_shop(tmp_path / "shop", PRODUCTS)
    return write_looks(tmp_path / "looks", PICTURES, FILMS, repeats=1, seed=4)


async def alone(folder: Path) -> dict[str, MediaTagged]:
    """The results of one machine that needs no server."""
    tagger = Tagger(folder, folder / "alone")
    tagger.finish("catalog", "add", str(folder / "shop"), within_s=WITHIN_S)
    tagger.finish("run", "--watch", str(folder / "looks"), "--until-idle", within_s=WITHIN_S)
    return (await kept.read(Settings(data_dir=tagger.data))).results


def without_uploads(results: dict[str, MediaTagged]) -> dict[str, MediaTagged]:
    """What was found, wherever it was found: names and places of the uploads left out."""
    return {
        media: tagged.model_copy(update={"uploads": [], "filename": ""})
        for media, tagged in results.items()
    }


@pytest.mark.timeout(400)
async def test_files_in_a_folder_end_as_on_one_machine(tmp_path: Path, looks: list[Path]) -> None:
    expected = await alone(tmp_path)

    with cluster(tmp_path) as made:
        tagger = made.tagger()
        with made.stages():
            tagger.finish("catalog", "add", str(tmp_path / "shop"), within_s=WITHIN_S)
            with tagger.running("produce", "folder", str(tmp_path / "looks")) as producer:
                await made.settled(len(expected), WITHIN_S)
                producer.stop()
        found = await kept.read(made.settings)
        printed = console_consumer(made.bootstrap, f"{made.name}.media.tagged", len(expected))

    assert kept.differences(expected, found.results) == []
    assert {tagged.status for tagged in found.results.values()} == {"complete"}
    assert found.letters == []
    assert found.marks == []
    assert {json.loads(line)["media_id"] for line in printed} <= expected.keys()
    assert tagger.leftovers() == []


@pytest.mark.timeout(400)
async def test_objects_in_a_bucket_end_as_on_one_machine(tmp_path: Path, looks: list[Path]) -> None:
    expected = await alone(tmp_path)

    with cluster(tmp_path) as made:
        found = await _through_a_bucket(made, looks, {})

    assert kept.differences(without_uploads(expected), without_uploads(found)) == []


@pytest.mark.timeout(400)
async def test_minio_may_tell_of_objects_through_kafka(tmp_path: Path, looks: list[Path]) -> None:
    expected = await alone(tmp_path)
    name = new_name()

    with (
        _minio_that_tells_kafka(tmp_path, f"{name}.drops") as minio,
        cluster(tmp_path, name, minio=minio) as made,
    ):
        # So long between two listings that only a notification tells of what comes later.
        heard = {"TAGGER_BUCKET__NOTIFICATIONS": "drops", "TAGGER_BUCKET__RESCAN_S": "3600"}
        async with open_log(made.settings) as log:
            await log.create_topics([TopicSpec("drops", partitions=1)])
        found = await _through_a_bucket(made, looks, heard)

    assert kept.differences(without_uploads(expected), without_uploads(found)) == []


async def _through_a_bucket(
    made: Cluster, looks: list[Path], settings: dict[str, str]
) -> dict[str, MediaTagged]:
    """The results of a catalog, and of looks that are put into a bucket: a half before the
    producer starts, the rest while it watches."""
    drop = f"{made.name}-drop"
    client = _client(made.s3)
    client.make_bucket(drop)
    if "TAGGER_BUCKET__NOTIFICATIONS" in settings:
        queue = QueueConfig(queue=_ARN, events=["s3:ObjectCreated:*"])
        client.set_bucket_notification(drop, NotificationConfig(queue_config_list=[queue]))
    tagger = made.tagger(settings)
    first, later = looks[: len(looks) // 2], looks[len(looks) // 2 :]
    with made.stages():
        tagger.finish("catalog", "add", str(made.folder / "shop"), within_s=WITHIN_S)
        _put(client, drop, first)
        with tagger.running("produce", "bucket", drop) as producer:
            await made.settled(PRODUCTS + len(first), WITHIN_S)
            _put(client, drop, later)
            await made.settled(PRODUCTS + PICTURES + FILMS, WITHIN_S)
            producer.stop()
    found = await kept.read(made.settings)
    assert found.letters == []
    return found.results


def _put(client: Minio, bucket: str, files: list[Path]) -> None:
    for file in files:
        client.fput_object(bucket, f"looks of today/{file.name}", str(file))


def _client(s3: Address) -> Minio:
    secure, host = s3["endpoint"].startswith("https"), s3["endpoint"].rpartition("/")[2]
    return Minio(host, s3["access_key"], s3["secret_key"], secure=secure)


@contextmanager
def _minio_that_tells_kafka(folder: Path, topic: str) -> Iterator[MinioServer]:
    settings = {"ENABLE": "on", "BROKERS": kafka_bootstrap(), "TOPIC": topic}
    env = {f"MINIO_NOTIFY_KAFKA_{key}_DROPS": value for key, value in settings.items()}
    minio = MinioServer(folder / "minio", env)
    minio.start()
    try:
        yield minio
    finally:
        minio.stop()
