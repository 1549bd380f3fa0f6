"""Small points in the collection ``items``, and short ways to ask for them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.events import Vectors
from core.vectors.port import CollectionSpec, Filter, Point, VectorStore

SPEC = CollectionSpec("items", "fashion-1", 4, ("category", "product.id"))


def id_of(number: int) -> str:
    return str(uuid.UUID(int=number))


def unit(*numbers: float) -> Vectors:
    vector = np.asarray(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def point_of(number: int, vector: Vectors | None = None, **payload: Any) -> Point:
    return Point(id_of(number), unit(1, 0, 0, 0) if vector is None else vector, payload)


async def upsert(vectors: VectorStore, *points: Point) -> None:
    await vectors.upsert("items", "fashion-1", points)


async def found_for(
    vectors: VectorStore,
    query: Vectors,
    limit: int = 10,
    min_score: float = -1.0,
    where: Filter | None = None,
) -> list[int]:
    hits = await vectors.search("items", "fashion-1", query[None], limit, min_score, where)
    return [uuid.UUID(hit.id).int for hit in hits[0]]


async def everything(
    vectors: VectorStore, where: Filter | None = None, page: int = 100
) -> Sequence[Point]:
    points, after = await vectors.scroll("items", where, page)
    while after is not None:
        more, after = await vectors.scroll("items", where, page, after)
        points += more
    return points
