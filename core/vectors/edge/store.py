"""Vectors on one machine: Qdrant's own engine in a process beside this one, without a server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.children.frames import UnsendableError
from core.events import Vectors
from core.vectors.edge import answers
from core.vectors.edge.process import EngineProcess
from core.vectors.edge.wire import Spec, Where
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
        plain = Spec(_checked(spec.name), spec.embedder, spec.dim, spec.indexed)
        await self._engine.ask("create", {"spec": plain}, read=answers.nothing)

    async def collections(self) -> dict[str, CollectionSpec]:
        specs = await self._engine.ask("collections", {}, read=answers.specs)
        return {spec.name: spec for spec in specs}

    async def drop(self, collection: str) -> None:
        await self._engine.ask("drop", {"name": collection}, read=answers.nothing)

    async def upsert(self, collection: str, embedder: str, points: Sequence[Point]) -> None:
        latest = {point.id: point for point in points}
        asked = {
            "name": collection,
            "embedder": embedder,
            "ids": list(latest),
            "payloads": [dict(point.payload) for point in latest.values()],
        }
        await self._write("upsert", asked, [_packed([point.vector for point in latest.values()])])

    async def annotate(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        plain = {point: dict(payload) for point, payload in payloads.items()}
        await self._write("annotate", {"name": collection, "payloads": plain})

    async def search(
        self,
        collection: str,
        embedder: str,
        vectors: Vectors,
        limit: int,
        min_score: float,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        asked = {
            "name": collection,
            "embedder": embedder,
            "rows": len(vectors),
            "limit": limit,
            "score_threshold": just_below(min_score),
            "where": _where(where),
        }
        packed = [_packed(list(vectors))]
        return await self._engine.ask("search", asked, packed, read=answers.hits)

    async def scroll(
        self, collection: str, where: Filter | None, limit: int, after: str | None = None
    ) -> tuple[list[Point], str | None]:
        asked = {"name": collection, "where": _where(where), "limit": limit, "after": after}
        return await self._engine.ask("scroll", asked, read=answers.page)

    async def facet(
        self, collection: str, field: str, where: Filter | None = None, limit: int = 1000
    ) -> dict[str, int]:
        asked = {"name": collection, "field": field, "where": _where(where), "limit": limit}
        return await self._engine.ask("facet", asked, read=answers.counts)

    async def count(self, collection: str, where: Filter | None = None) -> int:
        asked = {"name": collection, "where": _where(where)}
        return await self._engine.ask("count", asked, read=answers.count)

    async def delete(self, collection: str, where: Filter) -> None:
        if not where.must and not any(where.must_not.values()):
            raise ValueError(f"without a condition this would delete all of {collection!r}")
        asked = {"name": collection, "where": _where(where)}
        await self._engine.ask("delete", asked, read=answers.nothing)

    async def serving(self, alias: str) -> str | None:
        return await self._engine.ask("serving", {"alias": alias}, read=answers.name)

    async def serve(self, alias: str, collection: str) -> None:
        asked = {"alias": _checked(alias), "name": collection}
        await self._engine.ask("serve", asked, read=answers.nothing)

    async def close(self) -> None:
        await self._engine.close()

    async def _write(self, call: str, asked: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        try:
            await self._engine.ask(call, asked, buffers, read=answers.nothing)
        except UnsendableError as error:
            raise ValueError(
                f"a payload must be what JSON can hold, and all of them fit a message: {error}"
            ) from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a collection's name is of letters, digits and _.-, not {name!r}")
    return name


def _packed(vectors: Sequence[Vectors]) -> bytes:
    """All of them in one buffer, row after row."""
    if len(shapes := {vector.shape for vector in vectors}) > 1:
        raise ValueError(f"vectors of one call have as many numbers, not shapes {shapes}")
    if any(len(shape) != 1 for shape in shapes):
        raise ValueError("a vector is one row of finite numbers")
    if not shapes:
        return b""
    rows = np.stack(vectors).astype(np.float32, copy=False)
    if not np.isfinite(rows).all():
        raise ValueError("a vector is one row of finite numbers")
    return rows.tobytes()


def _where(where: Filter | None) -> Where:
    if where is None:
        return Where({}, {})
    must = {field: list(values) for field, values in where.must.items()}
    must_not = {field: list(values) for field, values in where.must_not.items()}
    return Where(must, must_not)
