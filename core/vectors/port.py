"""Vector collections by generation, with one pointer that says which of them serves queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.events import Vectors

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """``embedder`` is the version whose vectors the collection holds; ``indexed`` lists payload
    fields (keywords) that filters and facets use."""

    name: str
    embedder: str
    dim: int
    indexed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """``id`` is a UUID in text, ``vector`` ``(dim,) float32`` of length one."""

    id: str
    vector: npt.NDArray[np.float32]
    payload: Payload


@dataclass(frozen=True, slots=True)
class Hit:
    id: str
    score: float
    payload: Payload


@dataclass(frozen=True, slots=True)
class Filter:
    """Points whose payload has one of the values for every field of ``must``, and for no field of
    ``must_not``. An empty filter is everything. ``product.id`` is the ``id`` inside ``product``;
    a field that holds a list has all of its values."""

    must: Mapping[str, Sequence[str]] = field(default_factory=dict)
    must_not: Mapping[str, Sequence[str]] = field(default_factory=dict)


class VectorStore(Protocol):
    """Similarity is the cosine. Writes are visible to the next search, durable on return.

    Every call raises OutageError while the store cannot be reached (CollectionMissingError where
    only the collection is not there), EmbedderMismatchError when ``embedder`` is not the
    collection's own, and ValueError for a vector of another size or of what is no number, for a
    payload that JSON cannot hold, and for an id that is no UUID.
    """

    async def create(self, spec: CollectionSpec) -> None:
        """Makes the collection. If it is there with the same embedder and dim, it only gets the
        indexes that it lacks; with others, EmbedderMismatchError."""
        ...

    async def collections(self) -> dict[str, CollectionSpec]: ...

    async def drop(self, collection: str) -> None:
        """Removes it, and the aliases that point at it; one that is not there is no error."""
        ...

    async def upsert(self, collection: str, embedder: str, points: Sequence[Point]) -> None:
        """Replaces points of the same id whole; of two in ``points``, the later one stays."""
        ...

    async def annotate(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        """Merges fields into the payloads of points, by id; None removes a field. A point that is
        gone stays gone."""
        ...

    async def search(
        self,
        collection: str,
        embedder: str,
        vectors: Vectors,
        limit: int,
        min_score: float,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        """For each row of ``(n, dim)`` the best hits of at least ``min_score``, best first, ties by
        id."""
        ...

    async def scroll(
        self, collection: str, where: Filter | None, limit: int, after: str | None = None
    ) -> tuple[list[Point], str | None]:
        """A page of points with vectors, by id; the second value goes into the next ``after``."""
        ...

    async def facet(
        self, collection: str, field: str, where: Filter | None = None, limit: int = 1000
    ) -> dict[str, int]:
        """Counts per value of an indexed payload field, most first; ValueError without index."""
        ...

    async def count(self, collection: str, where: Filter | None = None) -> int: ...

    async def delete(self, collection: str, where: Filter) -> None:
        """Removes matching points; an empty filter is refused with ValueError."""
        ...

    async def serving(self, alias: str) -> str | None:
        """The collection that an alias points at, None when it points nowhere."""
        ...

    async def serve(self, alias: str, collection: str) -> None:
        """Moves the pointer atomically: a reader sees the old collection or the new one."""
        ...

    async def close(self) -> None: ...
