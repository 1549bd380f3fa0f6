"""A Qdrant server for tests: a real one if TEST_QDRANT_URL names it, else the stand-in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qdrant_client import QdrantClient

from core.vectors.server.wire import found
from tests.servers.process import ServerProcess, free_port, listens
from tests.servers.session import Address, shared

_ROOT = Path(__file__).parents[2]


class QdrantServer(ServerProcess):
    """The stand-in that ``qdrant_standin`` describes; says there what it is, and what it is not.

    Keeps its port and its data when it is stopped or killed and started again.

    Args:
        folder: for its data and its output.
        api_key: what it asks its clients for, if anything.
    """

    def __init__(self, folder: Path, api_key: str = "") -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = [f"--port={port}", f"--folder={folder / 'data'}", f"--api-key={api_key}"]
        super().__init__(
            [sys.executable, "-m", "tests.servers.qdrant_standin", *settings],
            folder / "qdrant.log",
            ready=lambda: listens(port),
            env={"PYTHONPATH": str(_ROOT)},
        )


def qdrant_url(place: str = "") -> str:
    """The server that TEST_QDRANT_URL names, else the session's own.

    On the session's own, every ``place`` (letters and digits) is an empty server for itself. A
    real one has only one place: run tests against it one at a time (``-n 0``).
    """
    if url := os.environ.get("TEST_QDRANT_URL"):
        return url
    url = shared("qdrant", _start)["url"]
    return f"{url}/at/{place}" if place else url


def empty_qdrant(url: str) -> None:
    """Removes the collections that this engine has made there, with their aliases."""
    client = QdrantClient(url=url, check_compatibility=False)
    for name in [one.name for one in client.get_collections().collections]:
        if found(name, client.get_collection(name)) is not None:
            client.delete_collection(name)
    client.close()


def _start(folder: Path) -> tuple[ServerProcess, Address]:
    server = QdrantServer(folder)
    server.start()
    return server, {"url": server.url}
