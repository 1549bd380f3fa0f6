"""Stores as code of 2aa60b8 left them, opened by the code of today."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from qdrant_client import QdrantClient
from typer.testing import CliRunner

from core.blobs.port import Blob
from core.intake.intake import Announced, Intake, Submission
from core.ports import Ports
from core.settings import Settings
from infra.cli import app
from infra.running.service import Service
from infra.wiring.adapters import open_ports
from infra.wiring.producers import open_bucket_producer
from tests.chaos import kept
from tests.chaos.cluster import Cluster, new_name
from tests.chaos.kept import Kept
from tests.formats.dump import load_kafka, load_objects, load_vectors, minio_client
from tests.infra.running.standin_engine import open_standin
from tests.servers.kafka import kafka_bootstrap
from tests.servers.minio import minio_address
from tests.servers.qdrant import QdrantServer

T = TypeVar("T")

BUCKET = "formats-looks"
_PATIENCE_S = 120.0
HERE = Path(__file__).parent
TOLD: dict[str, Any] = json.loads((HERE / "told.json").read_text())


@dataclass(frozen=True)
class Used:
    """Stores that were in use.

    Attributes:
        environment: makes ``tagger`` find them.
        looks: a copy of what the producer watched.
        producer, place: who watched it, and where it was.
        mark: a file's mark in that place.
    """

    settings: Settings
    environment: dict[str, str]
    looks: Path
    producer: str
    place: str
    mark: Callable[[Path], str | None]

    def tagger(self, *arguments: object) -> list[dict[str, Any]]:
        """The JSON lines that a command prints."""
        words = [str(argument) for argument in (*arguments, "--json")]
        result = CliRunner().invoke(app, words, env=self.environment)
        assert result.exit_code == 0, (words, result.output, result.exception)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def put_back(self) -> None:
        """The frame that somebody had taken away."""
        frame = Blob(TOLD["lost_frame"], HERE / "lost-frame.jpg", "image/jpeg")
        self._run(lambda ports: ports.blobs.put([frame]))

    def recover(self) -> int:
        """What the producer does first at its start; the number of events said again."""
        return self._run(lambda ports: Intake(ports).recover(self.producer, self.place))

    def see(self, *names: str) -> list[Announced]:
        """What the producer does with files that it sees in the place."""
        submissions = [
            Submission(
                self.looks / name,
                f"{self.place}/{name}",
                self.producer,
                place=self.place,
                mark=self.mark(self.looks / name),
                repeat=False,
            )
            for name in names
        ]
        outcomes = self._run(lambda ports: Intake(ports).announce_many(submissions))
        return [outcome for outcome in outcomes if isinstance(outcome, Announced)]

    def watch(self, bucket: str, until: int) -> None:
        """Runs the bucket's producer until so many places have been announced."""

        async def run(ports: Ports) -> None:
            async with (
                asyncio.timeout(_PATIENCE_S),
                open_bucket_producer(self.settings, bucket) as producer,
            ):
                stop = asyncio.Event()
                watching = asyncio.create_task(producer.run(stop))
                while not watching.done():
                    if len(await ports.state.keys("ledger/")) >= until:
                        break
                    await asyncio.sleep(0.1)
                stop.set()
                await watching

        self._run(run)

    def work(self) -> Kept:
        """Runs the engine until nothing is left to do; what is there then."""

        async def run() -> Kept:
            async with asyncio.timeout(_PATIENCE_S), open_standin(self.settings) as engine:
                await Service(engine, ()).run(asyncio.Event(), until_idle=True)
            return await kept.read(self.settings)

        return asyncio.run(run())

    def _run(self, job: Callable[[Ports], Awaitable[T]]) -> T:
        async def run() -> T:
            async with open_ports(self.settings) as ports:
                return await job(ports)

        return asyncio.run(run())


def used_folder(home: Path) -> Used:
    """The data folder, unpacked."""
    unpack(HERE / "folder.tar.gz", home)
    data = home / "data"
    return Used(
        settings=Settings(data_dir=data, **TOLD["settings"]),
        environment={"TAGGER_DATA_DIR": str(data)},
        looks=home / "looks",
        producer="folder",
        place="file:///media/looks",
        mark=lambda _: None,
    )


@contextmanager
def empty_cluster(home: Path) -> Iterator[Cluster]:
    """Not even with topics: those are in the dump."""
    qdrant = QdrantServer(home / "qdrant")
    qdrant.start()
    try:
        yield Cluster(home, new_name(), kafka_bootstrap(), minio_address(), qdrant)
    finally:
        qdrant.stop()


def used_cluster(home: Path, made: Cluster) -> Used:
    """Loads the dump into a cluster that has nothing yet; topics that are new since are made."""
    with gzip.open(HERE / "cluster.jsonl.gz", "rt", encoding="utf-8") as packed:
        lines = [json.loads(line) for line in packed]
    asyncio.run(load_kafka(lines, made.bootstrap, f"{made.name}."))
    load_objects(lines, "object", minio_client(made.s3), made.name)
    load_vectors(lines, QdrantClient(url=made.qdrant.url, check_compatibility=False))
    made.tagger().finish("topics", "create", within_s=60)
    looks = home / "looks"
    looks.mkdir()
    for line in lines:
        if line["kind"] == "watched":
            (looks / line["key"]).write_bytes(base64.b64decode(line["data"]))
    return Used(
        settings=made.settings.model_copy(
            update={name: getattr(Settings(**TOLD["settings"]), name) for name in TOLD["settings"]}
        ),
        environment={**made.environment, "TAGGER_DATA_DIR": str(home / "here")},
        looks=looks,
        producer="bucket",
        place=f"s3://{BUCKET}",
        mark=etag_mark,
    )


@contextmanager
def watched_bucket(used: Used) -> Iterator[str]:
    """The bucket of the dump, with what lies among the looks now."""
    s3 = used.settings.s3
    secret = s3.secret_key.get_secret_value()
    client = minio_client(
        {"endpoint": s3.endpoint, "access_key": s3.access_key, "secret_key": secret}
    )
    client.make_bucket(BUCKET)
    names = sorted(path.name for path in used.looks.iterdir())
    try:
        for name in names:
            client.fput_object(BUCKET, name, str(used.looks / name))
        yield BUCKET
    finally:
        for name in names:
            client.remove_object(BUCKET, name)
        client.remove_bucket(BUCKET)


def etag_mark(file: Path) -> str:
    """Of the object that a file becomes."""
    data = file.read_bytes()
    return f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}:{len(data)}"


def unpack(archive: Path, into: Path) -> None:
    """Also gives files back the zeros at their end, which are holes."""
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
        for member in packed:
            if size := member.pax_headers.get("tagger.size"):
                with (into / member.name).open("r+b") as file:
                    file.truncate(int(size))
