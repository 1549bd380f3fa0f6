"""The engine as processes of its own on a broker, an S3 server and a vector server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.ports import Ports
from core.results.keys import latest_prefix
from core.results.parts import PartStore
from core.settings import KafkaSettings, QdrantSettings, S3Settings, Settings
from infra.wiring.adapters import open_ports
from infra.wiring.stages import RECIPES
from tests.chaos.tagger import Run, Tagger
from tests.servers.kafka import KafkaBroker, kafka_bootstrap
from tests.servers.minio import MinioServer, minio_address
from tests.servers.qdrant import QdrantServer
from tests.servers.session import Address

_LOOK_EVERY_S = 0.3


@dataclass(frozen=True)
class Cluster:
    """Where the servers are; a cluster has topics, a bucket and a vector server of its own.

    Attributes:
        folder: of the test: data folders of the processes, and what they say.
        name: of the bucket; topics and groups begin with it and a dot.
    """

    folder: Path
    name: str
    bootstrap: str
    s3: Address
    qdrant: QdrantServer

    @property
    def settings(self) -> Settings:
        """Of this test's own process."""
        return Settings(
            data_dir=self.folder / "here",
            kafka=KafkaSettings(bootstrap_servers=self.bootstrap, prefix=f"{self.name}."),
            s3=S3Settings(bucket=self.name, **self.s3),
            qdrant=QdrantSettings(url=self.qdrant.url),
        )

    @property
    def environment(self) -> dict[str, str]:
        """Of ``tagger`` commands."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_PREFIX": f"{self.name}.",
            # Who is killed here is missed soon: its partitions wait for nobody.
            "KAFKA_SESSION_TIMEOUT_S": "3",
            "S3_ENDPOINT": self.s3["endpoint"],
            "S3_ACCESS_KEY": self.s3["access_key"],
            "S3_SECRET_KEY": self.s3["secret_key"],
            "S3_BUCKET": self.name,
            "QDRANT_URL": self.qdrant.url,
            "TAGGER_MEDIA__WORKERS": "1",
            "TAGGER_VISION__THREADS": "1",
            "TAGGER_LOG_LEVEL": "info",
        }

    def tagger(self, settings: dict[str, str] | None = None) -> Tagger:
        """Starts commands on this cluster."""
        return Tagger(self.folder, self.folder / "hosts", self.environment | (settings or {}))

    @contextmanager
    def stages(self, settings: dict[str, str] | None = None) -> Iterator[dict[str, Run]]:
        """Every stage as a process of its own; they end in order on leaving."""
        tagger = self.tagger(settings)
        with ExitStack() as stack:
            runs = {
                name: stack.enter_context(tagger.running("consume", name)) for name in RECIPES.names
            }
            yield runs
            for run in runs.values():
                run.stop()

    async def settled(self, media: int, within_s: float, quiet: bool = True) -> None:
        """Returns when so many media have a result and, if it shall be ``quiet``, every stage has
        done what there was and nothing is missing from any result."""
        async with open_ports(self.settings) as ports, asyncio.timeout(within_s):
            while not await _done(ports, media, quiet):  # noqa: ASYNC110  # seen from outside
                await asyncio.sleep(_LOOK_EVERY_S)


async def _done(ports: Ports, media: int, quiet: bool) -> bool:
    if len(await ports.state.keys(latest_prefix())) < media:
        return False
    if not quiet:
        return True
    for recipe in RECIPES:
        if any((await ports.log.lag(recipe.name, recipe.topics)).values()):
            return False
    return await PartStore(ports.state).unannounced() == 0


def new_name() -> str:
    """One that no other cluster has."""
    return f"t{uuid.uuid4().hex[:12]}"


@contextmanager
def cluster(
    folder: Path,
    name: str | None = None,
    broker: KafkaBroker | None = None,
    minio: MinioServer | None = None,
) -> Iterator[Cluster]:
    """A cluster with its topics, and nothing in it.

    Args:
        name: where somebody had to know it beforehand, else a new one.
        broker, minio: running ones that are the test's own, to be killed; else the session's.
    """
    name = name or new_name()
    qdrant = QdrantServer(folder / "qdrant")
    qdrant.start()
    try:
        made = Cluster(
            folder,
            name,
            broker.bootstrap if broker else kafka_bootstrap(),
            minio.address if minio else minio_address(),
            qdrant,
        )
        made.tagger().finish("topics", "create", within_s=60)
        yield made
    finally:
        qdrant.stop()
