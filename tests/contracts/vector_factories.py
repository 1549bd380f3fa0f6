"""The vector stores that the contract runs against; a new one is one more entry here."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from core.vectors.edge.store import EdgeVectorStore
from core.vectors.port import VectorStore
from core.vectors.server.connection import Connection
from core.vectors.server.store import QdrantVectorStore
from tests.servers.qdrant import empty_qdrant, qdrant_url

OpenVectors = Callable[[], Awaitable[VectorStore]]


@dataclass(frozen=True)
class VectorAdapter:
    """How a contract test gets at a vector store.

    Attributes:
        at: gives, for an empty folder of the test, what opens one and the same store each time.
        address: what another process opens the same store by, with ``open_address``; None if it
            lives in this process only.
    """

    name: str
    at: Callable[[Path], OpenVectors]
    address: Callable[[Path], str] | None = None


def _edge(folder: Path) -> OpenVectors:
    async def open_vectors() -> VectorStore:
        return await EdgeVectorStore.open(folder / "vectors")

    return open_vectors


class _MemoryServer(AsyncQdrantClient):
    """Qdrant's client with its own server in memory, which is there for as long as the client."""

    def __init__(self) -> None:
        super().__init__(":memory:")

    async def create_payload_index(self, *args: Any, **kwargs: Any) -> models.UpdateResult:
        """Without the warning that it filters without indexes."""
        with warnings.catch_warnings(action="ignore"):
            return await super().create_payload_index(*args, **kwargs)

    async def close(self, grpc_grace: float | None = None, **kwargs: Any) -> None:
        """Stores come and go; the server stays."""


def _memory(folder: Path) -> OpenVectors:
    server = _MemoryServer()

    async def open_vectors() -> VectorStore:
        return QdrantVectorStore(Connection(server, ":memory:"))

    return open_vectors


def _qdrant(folder: Path) -> OpenVectors:
    empty_qdrant(_url(folder))

    async def open_vectors() -> VectorStore:
        return await QdrantVectorStore.open(_url(folder))

    return open_vectors


def _url(folder: Path) -> str:
    return qdrant_url(hashlib.sha256(str(folder).encode()).hexdigest()[:16])


VECTORS = [
    VectorAdapter("edge", _edge, address="edge:{}".format),
    VectorAdapter("qdrant-memory", _memory),
    VectorAdapter("qdrant", _qdrant, address=lambda folder: f"qdrant:{_url(folder)}"),
]


async def open_address(address: str) -> VectorStore:
    """The store that another process told us of."""
    kind, _, place = address.partition(":")
    if kind == "edge":
        return await _edge(Path(place))()
    if kind == "qdrant":
        return await QdrantVectorStore.open(place)
    raise ValueError(address)
