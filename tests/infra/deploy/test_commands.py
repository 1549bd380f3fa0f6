"""What containers run beside ``tagger``: health checks, and how the servers are started and
filled. Each is run here as it stands, but for addresses."""

from __future__ import annotations

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
from tests.infra.deploy.started import broker, fill, kafka_login, login, store
from tests.infra.deploy.tools import compose
from tests.servers.process import free_port
from tests.servers.s3 import grants

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


def test_the_buckets_and_users_are_made_and_making_them_again_does_no_harm(tmp_path: Path) -> None:
    with store(tmp_path) as server:
        fill(server, tmp_path)

        admin = server.address
        client = Minio(
            server.endpoint.removeprefix("http://"),
            *(admin["access_key"], admin["secret_key"]),
            secure=False,
        )
        dropoff = names.parsed(compose("cpu")["bucket"]["command"])["name"]
        kept = compose("cpu")["bucket"]["environment"]["S3_BUCKET"]
        assert {dropoff, kept} == {bucket.name for bucket in client.list_buckets()}
        for service in ("frames", "bucket"):
            address = login(server, service)
            assert grants(address, lambda client: client.bucket_exists(kept))


async def test_the_broker_starts_with_these_settings_and_forgets_nothing(tmp_path: Path) -> None:
    with broker(tmp_path) as started:
        settings = await _broker_settings(started.host)

    assert settings["auto.create.topics.enable"] == "false"
    assert settings["log.retention.ms"] == "-1"
    assert int(settings["offsets.retention.minutes"]) > 365 * 24 * 60


async def _broker_settings(bootstrap: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **kafka_login())
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    finally:
        await admin.close()
    [resource] = answer.resources
    return {entry[0]: entry[1] for entry in resource[4]}
