"""Vectors on a Qdrant server, which any number of processes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from qdrant_client import AsyncQdrantClient, models

from core.errors import CollectionMissingError, EmbedderMismatchError, StageStopError
from core.events import Vectors
from core.vectors.port import CollectionSpec, Filter, Hit, Payload, Point
from core.vectors.server import wire as wire
from core.vectors.server.connection import Connection, RefusedError

_QUERIES_AT_ONCE = 128
_CHANGES_AT_ONCE = 1024
_REMEMBER_S = 2.0
"""For so long a collection's description is believed without asking again; it is wanted for every
event. What must not go wrong meanwhile does not rest on it: vectors of another embedder, or for a
collection that is gone, are refused by the server."""


class QdrantVectorStore:
    """A VectorStore on a server of version 1.16 or newer.

    A collection's vectors bear the name of its embedder (``wire.vector_name``), its payload
    indexes are the server's own, and its metadata says that all of them were made; until then it is
    not listed, and ``create`` makes what is missing. Collections of other makers on the same server
    are left alone. Aliases are the server's own.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._remembered: dict[str, tuple[float, wire.Found | None]] = {}

    @classmethod
    async def open(cls, url: str, api_key: str = "", timeout_s: float = 30.0) -> QdrantVectorStore:
        """Raises SettingsError, which names QDRANT_URL or QDRANT_API_KEY, and OutageError while
        nobody answers at ``url``; a server that is silent for ``timeout_s`` seconds, rounded up,
        counts as away."""
        return cls(await Connection.open(url, api_key, timeout_s))

    async def create(self, spec: CollectionSpec) -> None:
        if spec.dim < 1:
            raise ValueError(f"a vector has at least one number, not {spec.dim}")
        name = wire.checked(spec.name)
        there = await self._look(name) or await self._make(spec)
        _check_embedder(there.spec, spec.embedder)
        if there.spec.dim != spec.dim:
            raise EmbedderMismatchError(
                f"collection {name!r} holds vectors of {there.spec.dim} numbers, not {spec.dim}: "
                "rebuild it under another name"
            )
        missing = [field for field in spec.indexed if field not in there.spec.indexed]
        if missing or not there.complete:
            await self._index(name, missing, wire.completed([*there.spec.indexed, *missing]))

    async def collections(self) -> dict[str, CollectionSpec]:
        listed = await self._connection.expect(self._client.get_collections())
        names = sorted(one.name for one in listed.collections)
        looks = await asyncio.gather(*(self._recall(name) for name in names))
        return {one.spec.name: one.spec for one in looks if one is not None and one.complete}

    async def drop(self, collection: str) -> None:
        try:
            await self._connection.ask(self._client.delete_collection(collection))
        except RefusedError:
            if await self._look(collection) is not None:
                raise
        self._remembered.pop(collection, None)

    async def upsert(self, collection: str, embedder: str, points: Sequence[Point]) -> None:
        dims = {len(point.vector) for point in points if point.vector.ndim == 1}
        if len(dims) > 1:
            raise ValueError(f"one collection takes no vectors of different sizes, {sorted(dims)}")
        structs = list(wire.point_structs(embedder, points).values())
        async with self._explained(collection, embedder, dims):
            if not structs:
                _check_embedder(await self._spec(collection), embedder)
            for batch in wire.batches(structs):
                await self._connection.change(self._client.upsert(collection, batch, wait=True))

    async def annotate(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        changes = wire.merges(payloads)
        async with self._explained(collection):
            if not changes:
                await self._spec(collection)
            for start in range(0, len(changes), _CHANGES_AT_ONCE):
                some = changes[start : start + _CHANGES_AT_ONCE]
                await self._connection.change(
                    self._client.batch_update_points(collection, some, wait=True)
                )

    async def search(
        self,
        collection: str,
        embedder: str,
        vectors: Vectors,
        limit: int,
        min_score: float,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        dims = {len(row) for row in vectors if row.ndim == 1}
        results: list[list[Hit]] = [[] for _ in vectors]
        # One more than asked for shows whether the last place is shared. Which of those that share
        # it the server returns is chance, so it is asked for all of them.
        asked = dict.fromkeys(range(len(vectors)), limit + 1)
        async with self._explained(collection, embedder, dims):
            if not asked:
                _check_embedder(await self._spec(collection), embedder)
            while asked:
                rows = list(asked)[:_QUERIES_AT_ONCE]
                queries = [
                    wire.query(embedder, vectors[row], asked[row], min_score, where) for row in rows
                ]
                answers = await self._connection.ask(
                    self._client.query_batch_points(collection, queries)
                )
                for row, answer in zip(rows, answers, strict=True):
                    hits = [wire.hit(one) for one in answer.points]
                    if (
                        limit
                        and len(hits) == asked[row]
                        and hits[-1].score == hits[limit - 1].score
                    ):
                        asked[row] *= 2
                        continue
                    del asked[row]
                    results[row] = sorted(hits, key=lambda hit: (-hit.score, hit.id))[:limit]
        return results

    async def scroll(
        self, collection: str, where: Filter | None, limit: int, after: str | None = None
    ) -> tuple[list[Point], str | None]:
        async with self._explained(collection):
            records, rest = await self._connection.ask(
                self._client.scroll(
                    collection,
                    scroll_filter=wire.conditions(where),
                    limit=limit,
                    offset=after,
                    with_payload=True,
                    with_vectors=True,
                )
            )
        return [wire.point(record) for record in records], None if rest is None else str(rest)

    async def facet(
        self, collection: str, field: str, where: Filter | None = None, limit: int = 1000
    ) -> dict[str, int]:
        if field not in (await self._spec(collection)).indexed:
            raise ValueError(f"collection {collection!r} has no index on {field!r} to count by")
        async with self._explained(collection):
            answer = await self._connection.ask(
                self._client.facet(
                    collection, field, facet_filter=wire.conditions(where), limit=limit, exact=True
                )
            )
        # Values whose last point is gone may still be in the index, and are listed with 0.
        return {str(hit.value): hit.count for hit in answer.hits if hit.count}

    async def count(self, collection: str, where: Filter | None = None) -> int:
        async with self._explained(collection):
            answer = await self._connection.ask(
                self._client.count(collection, count_filter=wire.conditions(where), exact=True)
            )
        return answer.count

    async def delete(self, collection: str, where: Filter) -> None:
        matching = wire.conditions(where)
        if matching is None or not (where.must or any(where.must_not.values())):
            raise ValueError(f"without a condition this would delete all of {collection!r}")
        async with self._explained(collection):
            await self._connection.change(
                self._client.delete(collection, models.FilterSelector(filter=matching), wait=True)
            )

    async def serving(self, alias: str) -> str | None:
        known = await self._connection.expect(self._client.get_aliases())
        return next((one.collection_name for one in known.aliases if one.alias_name == alias), None)

    async def serve(self, alias: str, collection: str) -> None:
        """Raises StageStopError where the server has a collection of the alias's name."""
        # One operation: the server replaces what the alias pointed at, and a refusal changes
        # nothing. Deleting the old one first would leave none behind if the rest were refused.
        move = models.CreateAlias(alias_name=wire.checked(alias), collection_name=collection)
        async with self._explained(collection):
            try:
                await self._connection.ask(
                    self._client.update_collection_aliases(
                        [models.CreateAliasOperation(create_alias=move)]
                    )
                )
            except RefusedError as refusal:
                listed = await self._connection.expect(self._client.get_collections())
                if alias in {one.name for one in listed.collections}:
                    raise StageStopError(
                        f"Qdrant at {self._connection.url} has a collection named {alias!r}, so "
                        "no alias can have that name: set TAGGER_CATALOG to another one, or "
                        "remove the collection"
                    ) from refusal
                raise

    async def close(self) -> None:
        await self._connection.close()

    @property
    def _client(self) -> AsyncQdrantClient:
        return self._connection.client

    async def _make(self, spec: CollectionSpec) -> wire.Found:
        params = models.VectorParams(size=spec.dim, distance=models.Distance.COSINE)
        name = wire.vector_name(spec.embedder)
        try:
            await self._connection.ask(self._client.create_collection(spec.name, {name: params}))
        except RefusedError:
            # Another process was quicker, and what it has made will do, or is seen to differ.
            if (made := await self._look(spec.name)) is None:
                raise
            return made
        return wire.Found(CollectionSpec(spec.name, spec.embedder, spec.dim), complete=False)

    async def _index(self, name: str, fields: Sequence[str], done: dict[str, object]) -> None:
        async with self._explained(name):
            for field in fields:
                await self._connection.change(
                    self._client.create_payload_index(
                        name, field, models.PayloadSchemaType.KEYWORD, wait=True
                    )
                )
            await self._connection.ask(self._client.update_collection(name, metadata=done))
        self._remembered.pop(name, None)

    async def _recall(self, name: str) -> wire.Found | None:
        at, known = self._remembered.get(name, (-_REMEMBER_S, None))
        if time.monotonic() - at > _REMEMBER_S:
            asked = time.monotonic()
            try:
                known = await self._look(name)
            except EmbedderMismatchError:
                known = None
            self._remembered[name] = asked, known
        return known

    async def _look(self, name: str) -> wire.Found | None:
        """What the server says now; None if there is no such collection."""
        try:
            info = await self._connection.ask(self._client.get_collection(name))
        except RefusedError:
            return None
        if (there := wire.found(name, info)) is None:
            raise EmbedderMismatchError(
                f"collection {name!r} on {self._connection.url} was not made by this engine: "
                "rebuild it under another name"
            )
        return there

    async def _spec(self, collection: str) -> CollectionSpec:
        if (there := await self._look(collection)) is None:
            raise CollectionMissingError(
                f"there is no vector collection {collection!r} on {self._connection.url}: build "
                "it, or serve another one"
            )
        return there.spec

    @asynccontextmanager
    async def _explained(
        self, collection: str, embedder: str | None = None, dims: set[int] | None = None
    ) -> AsyncIterator[None]:
        """Looks into a refusal: the reason is found in the collection, not in the server's words,
        which differ between versions."""
        try:
            yield
        except RefusedError:
            self._remembered.pop(collection, None)
            spec = await self._spec(collection)
            if embedder is not None:
                _check_embedder(spec, embedder)
            for dim in dims or ():
                if dim != spec.dim:
                    raise ValueError(
                        f"collection {collection!r} takes vectors of {spec.dim} numbers, not {dim}"
                    ) from None
            raise


def _check_embedder(spec: CollectionSpec, embedder: str) -> None:
    if spec.embedder != embedder:
        raise EmbedderMismatchError(
            f"collection {spec.name!r} holds vectors of embedder {spec.embedder!r}, not of "
            f"{embedder!r}: rebuild it with this embedder, or go back to the other one"
        )
