"""The vector stores that the contract runs against; a new one is one more entry here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from core.vectors.edge import EdgeVectorStore
from core.vectors.port import VectorStore

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


VECTORS = [VectorAdapter("edge", _edge, address="edge:{}".format)]


async def open_address(address: str) -> VectorStore:
    """The store that another process told us of."""
    kind, _, place = address.partition(":")
    if kind == "edge":
        return await _edge(Path(place))()
    raise ValueError(address)
