"""What passes between the store and its engine process.

Plain data and no numpy: the engine's process is up in a tenth of a second without it, and a
command that waits for one picture has few seconds in all. Named tuples travel as JSON lists;
vectors as one raw buffer, row after row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from core.children.frames import Bounds, Buffer

BOUNDS = Bounds(64 << 20, 256 << 20)
"""Of a message: 130,000 vectors of 512."""


class Spec(NamedTuple):
    """A collection: ``CollectionSpec`` as plain data."""

    name: str
    embedder: str
    dim: int
    indexed: tuple[str, ...]


class Record(NamedTuple):
    """A point; ``vector`` holds ``dim`` float32 in the host's byte order."""

    id: str
    vector: bytes
    payload: dict[str, Any]


class Found(NamedTuple):
    """A hit of a search."""

    id: str
    score: float
    payload: dict[str, Any]


class Where(NamedTuple):
    """A filter; without conditions it is everything."""

    must: dict[str, list[str]]
    must_not: dict[str, list[str]]


def spec_of(data: list[Any]) -> Spec:
    name, embedder, dim, indexed = data
    return Spec(name, embedder, dim, tuple(indexed))


def rows(vectors: Buffer, count: int) -> Iterable[bytes]:
    """As many vectors of the same size, from the buffer that holds them."""
    whole = memoryview(vectors)
    size = len(whole) // count if count else 0
    if size * count != len(whole) or size % 4:
        raise ValueError(f"{len(whole)} bytes are not {count} vectors of one size")
    return (bytes(whole[size * row : size * (row + 1)]) for row in range(count))
