"""Vectors on one machine: Qdrant's own engine in a process beside this one, without a server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.events import Vectors
from core.vectors.edge.process import EngineProcess
from core.vectors.edge.wire import Record, Spec, Where
from core.vectors.port import CollectionSpec, Filter, Hit, Payload, Point
from core.vectors.thresholds import just_below

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class EdgeVectorStore:
    """A VectorStore in a folder, which one process holds at a time.

    Searches compare with every vector until a collection outgrows 50,000; beyond, Qdrant's HNSW
    index answers for all but the newest. A search among 20,000 x 512 takes a few milliseconds.
    """

    def __init__(self, engine: EngineProcess) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, folder: Path) -> EdgeVectorStore:
        """Makes the folder if need be. Raises BusyError, which names the process that holds it,
        and FormatError if a newer version wrote it."""
        return cls(await EngineProcess.start(folder))

    async def create(self, spec: CollectionSpec) -> None:
        if spec.dim < 1:
            raise ValueError(f"a vector has at least one number, not {spec.dim}")
        name = _checked(spec.name)
        await self._engine.ask("create", Spec(name, spec.embedder, spec.dim, spec.indexed))

    async def collections(self) -> dict[str, CollectionSpec]:
        specs: list[Spec] = await self._engine.ask("collections")
        return {spec.name: CollectionSpec(*spec) for spec in specs}

    async def drop(self, collection: str) -> None:
        await self._engine.ask("drop", collection)

    async def upsert(self, collection: str, embedder: str, points: Sequence[Point]) -> None:
        latest = {point.id: _record(point) for point in points}
        await self._engine.ask("upsert", collection, embedder, list(latest.values()))

    async def annotate(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        plain = {point: dict(payload) for point, payload in payloads.items()}
        await self._engine.ask("annotate", collection, plain)

    async def search(
        self,
        collection: str,
        embedder: str,
        vectors: Vectors,
        limit: int,
        min_score: float,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        rows = [_bytes(row) for row in vectors]
        found = await self._engine.ask(
            "search", collection, embedder, rows, limit, just_below(min_score), _where(where)
        )
        return [[Hit(*hit) for hit in hits] for hits in found]

    async def scroll(
        self, collection: str, where: Filter | None, limit: int, after: str | None = None
    ) -> tuple[list[Point], str | None]:
        found: tuple[list[Record], str | None] = await self._engine.ask(
            "scroll", collection, _where(where), limit, after
        )
        records, rest = found
        return [_point(record) for record in records], rest

    async def facet(
        self, collection: str, field: str, where: Filter | None = None, limit: int = 1000
    ) -> dict[str, int]:
        counts: dict[str, int] = await self._engine.ask(
            "facet", collection, field, _where(where), limit
        )
        return counts

    async def count(self, collection: str, where: Filter | None = None) -> int:
        count: int = await self._engine.ask("count", collection, _where(where))
        return count

    async def delete(self, collection: str, where: Filter) -> None:
        if not where.must and not any(where.must_not.values()):
            raise ValueError(f"without a condition this would delete all of {collection!r}")
        await self._engine.ask("delete", collection, _where(where))

    async def serving(self, alias: str) -> str | None:
        collection: str | None = await self._engine.ask("serving", alias)
        return collection

    async def serve(self, alias: str, collection: str) -> None:
        await self._engine.ask("serve", _checked(alias), collection)

    async def close(self) -> None:
        await self._engine.close()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a collection's name is of letters, digits and _.-, not {name!r}")
    return name


def _record(point: Point) -> Record:
    return Record(point.id, _bytes(point.vector), dict(point.payload))


def _point(record: Record) -> Point:
    return Point(record.id, np.frombuffer(record.vector, dtype=np.float32), record.payload)


def _bytes(vector: Vectors) -> bytes:
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("a vector is one row of finite numbers")
    return np.ascontiguousarray(vector, dtype=np.float32).tobytes()


def _where(where: Filter | None) -> Where:
    if where is None:
        return Where({}, {})
    must = {field: list(values) for field, values in where.must.items()}
    must_not = {field: list(values) for field, values in where.must_not.items()}
    return Where(must, must_not)
