"""The services of compose.yaml without containers: each a process that is told what compose tells
it and nothing else, on servers that are started and filled as compose does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio import Minio
from pydantic import SecretStr

from core.ports import Ports
from core.results.parts import PartStore
from core.settings import KafkaSettings, S3Settings, Settings
from infra.wiring.adapters import open_ports
from tests.chaos.media import write_looks, write_shop
from tests.chaos.tagger import Run, Tagger
from tests.infra.deploy.started import Broker, broker, store
from tests.infra.deploy.tools import compose
from tests.servers.minio import MinioServer
from tests.servers.process import free_port
from tests.servers.qdrant import QdrantServer

PRODUCTS, LOOKS = 3, 3
WITHIN_S = 240.0


@dataclass(frozen=True)
class Stack:
    folder: Path
    broker: Broker
    minio: MinioServer
    qdrant: QdrantServer

    def told(self, service: str) -> dict[str, str]:
        """A service's environment, with addresses of here."""
        here = {
            "kafka:9092": self.broker.bootstrap,
            "http://minio:9000": self.minio.endpoint,
            "http://qdrant:6333": self.qdrant.url,
        }
        env = compose("cpu")[service]["environment"]
        quick = {"TAGGER_MEDIA__WORKERS": "1", "TAGGER_VISION__THREADS": "1"}
        return {name: here.get(value, value) for name, value in env.items()} | quick

    def tagger(self, service: str) -> Tagger:
        folder = self.folder / service
        folder.mkdir(exist_ok=True)
        return Tagger(folder, folder / "data", self.told(service))

    @contextmanager
    def running(self, service: str) -> Iterator[Run]:
        command = [
            str(free_port()) if word == "8080" else word
            for word in compose("cpu")[service]["command"]
        ]
        with self.tagger(service).running(*command) as run:
            yield run

    async def results(self, count: int) -> None:
        """Returns when so many media have one, and nothing is missing from any."""
        told = self.told("results")
        settings = Settings(
            data_dir=self.folder / "here",
            kafka=KafkaSettings(
                bootstrap_servers=told["KAFKA_BOOTSTRAP_SERVERS"],
                security_protocol="SASL_PLAINTEXT",
                sasl_username=told["KAFKA_SASL_USERNAME"],
                sasl_password=SecretStr(told["KAFKA_SASL_PASSWORD"]),
            ),
            s3=S3Settings(
                endpoint=told["S3_ENDPOINT"],
                access_key=told["S3_ACCESS_KEY"],
                secret_key=SecretStr(told["S3_SECRET_KEY"]),
            ),
        )
        async with open_ports(settings) as ports, asyncio.timeout(WITHIN_S):
            while not await _whole(ports, count):  # noqa: ASYNC110  # seen from outside
                await asyncio.sleep(0.3)


async def _whole(ports: Ports, count: int) -> bool:
    found = await PartStore(ports.state).results()
    return len(found) == count and await PartStore(ports.state).unannounced() == 0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    key = compose("cpu")["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
    qdrant = QdrantServer(tmp_path / "qdrant", key)
    with broker(tmp_path / "kafka") as kafka, store(tmp_path / "minio") as minio:
        qdrant.start()
        try:
            yield Stack(tmp_path, kafka, minio, qdrant)
        finally:
            qdrant.stop()


@pytest.mark.timeout(1200)  # the first run builds the tools that it needs
async def test_drops_are_tagged_by_services_that_have_no_login_but_their_own(
    stack: Stack,
) -> None:
    write_shop(stack.folder / "shop", PRODUCTS)
    looks = write_looks(stack.folder / "looks", LOOKS, 0, repeats=0, seed=1)
    stack.tagger("topics").finish("topics", "create", within_s=WITHIN_S)

    with ExitStack() as running:
        services = [
            name
            for name, service in compose("cpu").items()
            if service["image"].startswith("tagging-engine:") and name not in ("topics", "folder")
        ]
        runs = [running.enter_context(stack.running(name)) for name in services]
        shop = str(stack.folder / "shop")
        await asyncio.to_thread(
            stack.tagger("match").finish, "catalog", "add", shop, within_s=WITHIN_S
        )
        admin = stack.minio.address
        drops = Minio(
            stack.minio.endpoint.removeprefix("http://"),
            *(admin["access_key"], admin["secret_key"]),
            secure=False,
        )
        for look in looks:
            drops.fput_object("dropoff", look.name, str(look))
        await stack.results(PRODUCTS + len(looks))
        for run in runs:
            run.stop()
