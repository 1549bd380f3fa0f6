"""How fast vectors are through the port, beside bare calls of the same engine.

``python -m tests.bench.vector_speed [--folder DIR] [--points N]`` prints milliseconds and ratios.
The bare loop holds Python's lock during every call and syncs nothing; the port answers from a
process of its own, and every upsert is on the disk when it returns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import numpy as np
import qdrant_edge

from core.events import Vectors
from core.vectors.edge.store import EdgeVectorStore
from core.vectors.port import CollectionSpec, Filter, Point

_DIM = 512
_ROWS = 32
_LIMIT = 10
_LEAST = 0.2
_BATCH = 500
_WHERE = Filter(must={"category": ["dress", "bag"]})
_CATEGORIES = ("dress", "bag", "belt", "shoe", "coat")


def _points(count: int) -> list[Point]:
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(300, _DIM))
    drawn = middle[rng.integers(0, 300, count)] + rng.normal(size=(count, _DIM))
    vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return [
        Point(
            str(uuid.UUID(int=number + 1)),
            vector,
            {"category": _CATEGORIES[number % 5], "product": {"id": f"p{number}"}},
        )
        for number, vector in enumerate(vectors)
    ]


def _queries(points: list[Point]) -> Vectors:
    rows = np.stack([point.vector for point in points[:_ROWS]])
    noisy: Vectors = (rows + 0.01 * np.random.default_rng(1).normal(size=rows.shape)).astype("f4")
    return noisy


class _Bare:
    """The engine as its own documentation uses it."""

    def __init__(self, folder: Path) -> None:
        vectors = qdrant_edge.EdgeVectorParams(_DIM, qdrant_edge.Distance.Cosine)
        self._shard = qdrant_edge.EdgeShard.create(
            str(folder), qdrant_edge.EdgeConfig(vectors=vectors)
        )
        self._shard.update(
            qdrant_edge.UpdateOperation.create_field_index(
                "category", qdrant_edge.PayloadSchemaType.Keyword
            )
        )

    def upsert(self, points: list[Point]) -> None:
        plain = [qdrant_edge.Point(p.id, p.vector.tolist(), dict(p.payload)) for p in points]
        self._shard.update(qdrant_edge.UpdateOperation.upsert_points(plain))

    def search(self, vectors: Vectors, where: Filter | None) -> int:
        chosen = (where.must if where else {}).items()
        matches = [(field, qdrant_edge.MatchAny(list(values))) for field, values in chosen]
        only = qdrant_edge.Filter(
            must=[qdrant_edge.FieldCondition(field, match=match) for field, match in matches]
        )
        queries = [
            qdrant_edge.QueryRequest(
                _LIMIT,
                query=qdrant_edge.Query.Nearest(vector.tolist()),
                filter=only,
                score_threshold=_LEAST,
                with_payload=True,
            )
            for vector in vectors
        ]
        found = self._shard.query_batch(qdrant_edge.QueryBatchRequest(queries))
        return sum(len([(hit.id, hit.score, hit.payload) for hit in hits]) for hits in found)


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return (time.perf_counter() - start) * 1e3


async def _compare(
    name: str, port: Callable[[], Awaitable[object]], bare: Callable[[], object]
) -> None:
    """Alternating, so that what else the host does falls on both."""

    async def plain() -> None:
        bare()

    pairs = [(await _timed(port), await _timed(plain)) for _ in range(21)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{name:34} {ours:8.1f} ms   bare {theirs:8.1f} ms   ratio {ours / theirs:5.2f}")


async def _measure(folder: Path, count: int) -> None:
    points = _points(count)
    queries = _queries(points)
    spec = CollectionSpec("bench", "bench", _DIM, ("category",))
    bare = _Bare(folder / "bare")
    store = await EdgeVectorStore.open(folder / "port")
    await store.create(spec)

    async def fill() -> None:
        for start in range(0, count, _BATCH):
            await store.upsert("bench", "bench", points[start : start + _BATCH])

    async def fill_bare() -> None:
        for start in range(0, count, _BATCH):
            bare.upsert(points[start : start + _BATCH])

    ours, theirs = await _timed(fill), await _timed(fill_bare)
    print(f"{f'upsert {count} x {_DIM}':34} {ours:8.0f} ms   bare {theirs:8.0f} ms   ", end="")
    print(f"ratio {ours / theirs:5.2f}")

    for rows, where in ((1, None), (_ROWS, None), (_ROWS, _WHERE)):
        asked = queries[:rows]
        await _compare(
            f"search of {rows}{', filtered' if where else ''}",
            partial(store.search, "bench", "bench", asked, _LIMIT, _LEAST, where),
            partial(bare.search, asked, where),
        )
    await _compare(
        "upsert of 5, on the disk / not",
        partial(store.upsert, "bench", "bench", points[:5]),
        partial(bare.upsert, points[:5]),
    )
    await store.close()

    start = time.perf_counter()
    store = await EdgeVectorStore.open(folder / "port")
    opened = time.perf_counter()
    await store.search("bench", "bench", queries[:1], _LIMIT, _LEAST)
    print(f"open {(opened - start) * 1e3:.0f} ms, ", end="")
    print(f"first search {(time.perf_counter() - opened) * 1e3:.0f} ms after it")
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    parser.add_argument("--points", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        asyncio.run(_measure(Path(folder), arguments.points))


if __name__ == "__main__":
    main()
