"""What containers run beside ``tagger``: health checks, and how the servers are started and
filled. Each is run here as it stands, but for addresses."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from minio import Minio

from tests.infra.deploy import names
from tests.infra.deploy.tools import compose, minio_client
from tests.servers.kafka import java
from tests.servers.minio import minio_address
from tests.servers.process import ServerProcess, free_port, listens

pytestmark = pytest.mark.timeout(1200)  # the first run builds the tools that it needs

READY = {
    "frames": (8080, "/readyz"),
    "minio": (9000, "/minio/health/ready"),
    "qdrant": (6333, "/readyz"),
    "prometheus": (9090, "/-/ready"),
    "grafana": (3000, "/api/health"),
}
"""Service to the port and the path that say whether it is ready."""


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server that always answers so: its port, and the paths it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()


def healthy(service: str, port: int, ours: int) -> bool:
    """Whether the service's health check succeeds, with ``ours`` in the place of its port."""
    kind, *command = compose("cpu")[service]["healthcheck"]["test"]
    assert kind == "CMD"
    words = [word.replace(str(port), str(ours)) for word in command]
    if words[0] == "python":
        words[0] = sys.executable
    return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0


@pytest.mark.parametrize("service", READY)
def test_a_health_check_tells_ready_from_not_ready_and_from_dead(service: str) -> None:
    port, path = READY[service]

    with answering(200) as (ours, asked):
        assert healthy(service, port, ours)
    with answering(503) as (other, _):
        assert not healthy(service, port, other)
    assert not healthy(service, port, free_port())

    assert asked == [path]


def test_all_our_services_are_asked_the_same() -> None:
    checks = [
        service["healthcheck"]["test"]
        for service in (*compose("cpu").values(), *compose("gpu").values())
        if service["image"].startswith("tagging-engine:") and "healthcheck" in service
    ]

    assert checks == [compose("cpu")["frames"]["healthcheck"]["test"]] * len(checks)


def test_the_buckets_are_made_and_making_them_again_does_no_harm(tmp_path: Path) -> None:
    server = minio_address()
    service = compose("cpu")["buckets"]
    given = {"S3_ACCESS_KEY": server["access_key"], "S3_SECRET_KEY": server["secret_key"]}
    assert set(service["environment"]) == set(given)
    command = [*service["entrypoint"], *service["command"]]
    words = [word.replace("http://minio:9000", server["endpoint"]) for word in command]
    path = f"{minio_client()}:{os.environ['PATH']}"

    for _ in range(2):
        env = {**given, "PATH": path, "HOME": str(tmp_path)}
        subprocess.run(words, env=env, capture_output=True, timeout=60, check=True)

    client = Minio(
        server["endpoint"].removeprefix("http://"),
        server["access_key"],
        server["secret_key"],
        secure=False,
    )
    dropoff = names.parsed(compose("cpu")["bucket"]["command"])["name"]
    store = compose("cpu")["bucket"]["environment"]["S3_BUCKET"]
    assert {dropoff, store} <= {bucket.name for bucket in client.list_buckets()}


async def test_the_broker_starts_with_these_settings_and_forgets_nothing(tmp_path: Path) -> None:
    engine, controller, host = free_port(), free_port(), free_port()
    places = {
        ":9092": f":{engine}",
        ":9093": f":{controller}",
        ":29092": f":{host}",
        "//kafka:": "//localhost:",
        "/var/lib/kafka/data": str(tmp_path / "data"),
    }
    env = {name: str(value) for name, value in compose("cpu")["kafka"]["environment"].items()}
    for name, value in env.items():
        for place, here in places.items():
            value = value.replace(place, here)
        env[name] = value
    properties = _configured(tmp_path, env)

    broker = ServerProcess(
        [*java(), "kafka.Kafka", str(properties)],
        tmp_path / "broker.log",
        ready=lambda: listens(engine) and listens(host),
    )
    broker.start()
    try:
        kept = await _broker_settings(f"localhost:{host}")
    finally:
        broker.stop()

    assert kept["auto.create.topics.enable"] == "false"
    assert kept["log.retention.ms"] == "-1"
    assert int(kept["offsets.retention.minutes"]) > 365 * 24 * 60


def _configured(folder: Path, env: dict[str, str]) -> Path:
    """server.properties and a formatted log, by the program that the image starts with."""
    for name in ("default", "mounted", "final"):
        (folder / name).mkdir()
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


async def _broker_settings(bootstrap: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    finally:
        await admin.close()
    [resource] = answer.resources
    return {entry[0]: entry[1] for entry in resource[4]}
