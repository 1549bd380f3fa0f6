"""What the logins of compose.yaml are good for, on real servers: all of the engine's work, and
nothing else."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.minioadmin import MinioAdmin
from pydantic import SecretStr

from core.blobs.port import Blob
from core.blobs.s3 import S3BlobStore
from core.errors import TaggingError
from core.log.port import TopicSpec
from core.runtime.retry import RetryPolicy
from core.settings import KafkaSettings, Settings
from core.state.s3 import S3StateStore
from infra.wiring.adapters import open_log
from producers.bucket_notices import Put, ServerNotices, Subscribed
from tests.infra.deploy.started import broker, login, store
from tests.infra.deploy.tools import ROOT, compose
from tests.servers.minio import MinioServer
from tests.servers.s3 import connect

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

LARGE = 6 << 20
"""Goes up in parts."""


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with store(tmp_path_factory.mktemp("minio")) as server:
        yield server


def client(server: MinioServer, service: str | None = None) -> Minio:
    """As a service, or as the administrator."""
    who = server.address if service is None else login(server, service)
    host = server.endpoint.removeprefix("http://")
    return Minio(host, who["access_key"], who["secret_key"], secure=False)


def put(at: Minio, bucket: str, key: str, data: bytes = b"x") -> None:
    at.put_object(bucket, key, io.BytesIO(data), len(data))


@pytest.mark.parametrize("service", ["frames", "bucket"])
async def test_blobs_and_state_are_kept_with_the_rights_of_a_service(
    service: str, minio: MinioServer, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * LARGE)
    connection = connect(login(minio, service))

    blobs = await S3BlobStore.open(connection, "tagger")
    await blobs.put(
        [Blob("media/a/1.jpg", b"small", "image/jpeg"), Blob("media/a/2.mp4", large, "video/mp4")]
    )
    listed = [blob async for blob in blobs.list("media/a/")]
    read = await blobs.get("media/a/1.jpg")
    async with blobs.local("media/a/2.mp4") as copy:
        size = copy.stat().st_size
    await blobs.delete([blob.key for blob in listed])
    state = S3StateStore(connection, "tagger")
    await state.put([("part/1", b"one"), ("part/2", b"two")])
    kept = await state.keys("part/"), await state.get("part/1")
    await state.delete(["part/1", "part/2"])
    left = await state.keys("part/")
    await state.close()
    await blobs.close()
    await connection.close()

    assert (sorted(blob.size for blob in listed), read, size) == ([5, LARGE], b"small", LARGE)
    assert (sorted(kept[0]), kept[1], left) == (["part/1", "part/2"], b"one", [])


async def test_the_bucket_producer_hears_of_drops_and_reads_them(minio: MinioServer) -> None:
    connection = connect(login(minio, "bucket"))
    notices = ServerNotices(connection, "dropoff", retry=RetryPolicy(), again_s=60).follow()

    assert isinstance(await anext(notices), Subscribed)
    await asyncio.to_thread(put, client(minio), "dropoff", "look.jpg", b"a look")
    heard = await anext(notices)
    read = client(minio, "bucket").get_object("dropoff", "look.jpg").read()
    await notices.aclose()  # type: ignore[attr-defined]
    await connection.close()

    assert isinstance(heard, Put)
    assert read == b"a look"


OPEN: str = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::tagger/*"],
            }
        ],
    }
)
DENIED: dict[str, tuple[str, Callable[[Minio], object]]] = {
    "a stage lists the drop-off": ("frames", lambda at: list(at.list_objects("dropoff"))),
    "a stage reads the drop-off": ("frames", lambda at: at.get_object("dropoff", "there.jpg")),
    "a stage writes to the drop-off": ("frames", lambda at: put(at, "dropoff", "new.jpg")),
    "a stage makes a bucket": ("frames", lambda at: at.make_bucket("another")),
    "a stage opens its bucket to all": ("frames", lambda at: at.set_bucket_policy("tagger", OPEN)),
    "a stage removes its bucket": ("frames", lambda at: at.remove_bucket("tagger")),
    "a stage reads another bucket": ("frames", lambda at: at.get_object("private", "there.jpg")),
    "the producer writes to it": ("bucket", lambda at: put(at, "dropoff", "new.jpg")),
    "the producer removes a drop": ("bucket", lambda at: at.remove_object("dropoff", "there.jpg")),
    "the producer reads another": ("bucket", lambda at: at.get_object("private", "there.jpg")),
}


@pytest.mark.parametrize("wish", DENIED)
def test_what_is_nobodys_work_is_denied(wish: str, minio: MinioServer) -> None:
    admin = client(minio)
    if not admin.bucket_exists("private"):
        admin.make_bucket("private")
    for bucket in ("private", "dropoff"):
        put(admin, bucket, "there.jpg")
    service, attempt = DENIED[wish]

    with pytest.raises(S3Error) as refused:
        attempt(client(minio, service))

    assert refused.value.code == "AccessDenied"
    assert admin.stat_object("dropoff", "there.jpg")


@pytest.mark.parametrize("service", ["frames", "bucket"])
def test_no_service_administers_the_server(service: str, minio: MinioServer) -> None:
    who = login(minio, service)
    admin = MinioAdmin(
        endpoint=minio.endpoint.removeprefix("http://"),
        credentials=StaticProvider(who["access_key"], who["secret_key"]),
        secure=False,
    )

    with pytest.raises(MinioAdminException, match="AccessDenied"):
        admin.user_list()


def test_the_bucket_producer_may_do_what_a_stage_may_and_look_into_the_drop_off() -> None:
    stage, producer = (
        json.loads((ROOT / "infra" / "minio" / f"{name}.json").read_text())["Statement"]
        for name in ("engine", "dropoff")
    )

    assert producer[: len(stage)] == stage
    for statement in producer[len(stage) :]:
        assert all("dropoff" in resource for resource in statement["Resource"])


async def test_kafka_lets_in_who_has_the_password_and_nobody_else(tmp_path: Path) -> None:
    with broker(tmp_path) as started:
        told = compose("cpu")["frames"]["environment"]
        kafka = KafkaSettings(
            bootstrap_servers=started.bootstrap,
            security_protocol=told["KAFKA_SECURITY_PROTOCOL"],
            sasl_username=told["KAFKA_SASL_USERNAME"],
            sasl_password=SecretStr(told["KAFKA_SASL_PASSWORD"]),
        )
        right = Settings(data_dir=tmp_path, kafka=kafka)
        wrong: dict[str, dict[str, object]] = {
            "another password": {"sasl_password": SecretStr("guessed")},
            "another user": {"sasl_username": "admin"},
            "no login": {"security_protocol": "PLAINTEXT"},
        }

        async with open_log(right) as log:
            await log.create_topics([TopicSpec("said", partitions=1)])
            made = await log.topics()
        for changed in wrong.values():
            settings = Settings(data_dir=tmp_path, kafka=kafka.model_copy(update=changed))
            with pytest.raises(TaggingError, match="KAFKA_S") as refused:
                async with open_log(settings) as log:
                    await log.topics()
            assert told["KAFKA_SASL_PASSWORD"] not in str(refused.value)

    assert "said" in made
