"""MinIO, built from its source by Go: one for the session, or a test's own to kill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.servers.cache import Cached, FetchError, run
from tests.servers.process import ServerProcess, free_port
from tests.servers.s3 import grants
from tests.servers.session import Address, shared, unavailable

_VERSION = "v0.0.0-20250907161309-07c3a429bfed"
"""The last release with images (RELEASE.2025-09-07T16-13-09Z), which compose.yaml runs, too. Later
sources keep back what a listener is to be told (github.com/pgsty/silo/pull/34 says why)."""
_KEY, _SECRET = "tagger-tests", "tagger-tests-secret"


class MinioServer(ServerProcess):
    """Keeps its port and its data when it is stopped or killed and started again.

    Args:
        folder: for its data and its output.
        env: settings beside ours, e.g. where to send notifications.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        port, console = free_port(), free_port()
        self._settings = {
            "MINIO_ROOT_USER": _KEY,
            "MINIO_ROOT_PASSWORD": _SECRET,
            **(env or {}),
        }
        self.endpoint = f"http://127.0.0.1:{port}"
        address = f"--address=127.0.0.1:{port}", f"--console-address=127.0.0.1:{console}"
        super().__init__(
            [str(_binary()), "server", *address, str(folder / "data")],
            folder / "minio.log",
            # Its health check is content earlier than that.
            ready=lambda: grants(self.address, lambda client: client.list_buckets()),
            env={"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", **self._settings},
        )

    @property
    def address(self) -> Address:
        """As its administrator."""
        return {
            "endpoint": self.endpoint,
            "access_key": self._settings["MINIO_ROOT_USER"],
            "secret_key": self._settings["MINIO_ROOT_PASSWORD"],
        }


def minio_address() -> Address:
    """``endpoint``, ``access_key`` and ``secret_key`` of the server that TEST_S3_ENDPOINT names,
    else of the session's own."""
    if endpoint := os.environ.get("TEST_S3_ENDPOINT"):
        return {
            "endpoint": endpoint,
            "access_key": os.environ.get("TEST_S3_ACCESS_KEY", ""),
            "secret_key": os.environ.get("TEST_S3_SECRET_KEY", ""),
        }
    return shared("minio", _start)


def _start(folder: Path) -> tuple[ServerProcess, Address]:
    server = MinioServer(folder)
    server.start()
    return server, server.address


def _binary() -> Path:
    try:
        return _built.folder() / "minio"
    except FetchError as error:
        unavailable(f"no MinIO server: TEST_S3_ENDPOINT names none, and {error}")


def _build(folder: Path) -> None:
    run(["go", "install", f"github.com/minio/minio@{_VERSION}"], env={"GOBIN": str(folder)})


_built = Cached(f"minio-{_VERSION}", _build)
