"""The servers of compose.yaml, started and filled as it says, but for addresses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.infra.deploy.tools import compose, filled_env, minio_client
from tests.servers.kafka import java
from tests.servers.minio import MinioServer
from tests.servers.process import ServerProcess, free_port, listens
from tests.servers.session import Address


@dataclass(frozen=True)
class Broker:
    """Attributes:
    bootstrap: what stands for ``kafka:9092``.
    host: what stands for ``localhost:29092``.
    """

    bootstrap: str
    host: str


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Kafka with the settings of its service, made into files by the program of its image."""
    engine, host = free_port(), free_port()
    places = {
        ":9092": f":{engine}",
        ":9093": f":{free_port()}",
        ":9094": f":{free_port()}",
        ":29092": f":{host}",
        "//kafka:": "//localhost:",
        "/var/lib/kafka/data": str(folder / "data"),
    }
    env = {name: str(value) for name, value in compose("cpu")["kafka"]["environment"].items()}
    for name, value in env.items():
        for place, here in places.items():
            value = value.replace(place, here)
        env[name] = value
    process = ServerProcess(
        [*java(), "kafka.Kafka", str(_configured(folder, env))],
        folder / "broker.log",
        ready=lambda: listens(engine) and listens(host),
    )
    process.start()
    try:
        yield Broker(f"localhost:{engine}", f"localhost:{host}")
    finally:
        process.stop()


def _configured(folder: Path, env: dict[str, str]) -> Path:
    """server.properties and a formatted log, by the program that the image starts with."""
    for name in ("default", "mounted", "final"):
        (folder / name).mkdir(parents=True)
    for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "default" / name).touch()
    setup = [
        *java(),
        "kafka.docker.KafkaDockerWrapper",
        "setup",
        *(f"--{name}-configs-dir={folder / name}" for name in ("default", "mounted", "final")),
    ]
    subprocess.run(setup, env={"PATH": os.environ["PATH"], **env}, capture_output=True, check=True)
    return folder / "final" / "server.properties"


@contextmanager
def store(folder: Path) -> Iterator[MinioServer]:
    """MinIO with the administrator of its service, and what the service ``buckets`` makes in it."""
    told = compose("cpu")["minio"]["environment"]
    server = MinioServer(folder, told)
    server.start()
    try:
        fill(server, folder)
        yield server
    finally:
        server.stop()


def fill(server: MinioServer, folder: Path) -> None:
    """Runs the service ``buckets`` on a server."""
    service = compose("cpu")["buckets"]
    [policies] = service["volumes"]
    words = [
        word.replace("http://minio:9000", server.endpoint).replace(
            f"{policies['target']}/", f"{policies['source']}/"
        )
        for word in (*service["entrypoint"], *service["command"])
    ]
    env = {
        **service["environment"],
        "PATH": f"{minio_client()}:{os.environ['PATH']}",
        "HOME": str(folder),
    }
    subprocess.run(words, env=env, capture_output=True, timeout=60, check=True)


def login(server: MinioServer, service: str) -> Address:
    """Who a service is on that server."""
    told = compose("cpu")[service]["environment"]
    return {
        "endpoint": server.endpoint,
        "access_key": told["S3_ACCESS_KEY"],
        "secret_key": told["S3_SECRET_KEY"],
    }


def kafka_login() -> dict[str, str]:
    """aiokafka's arguments of whoever has the password."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "tagger",
        "sasl_plain_password": str(filled_env()["KAFKA_SASL_PASSWORD"]),
    }
