"""index: the items of a catalog frame become points.

Reads ``items.embedded`` of ``purpose: catalog``. Writes one point an item into the generation of
its embedder, removes what the same frame left there before, flags duplicates, and says
``items.indexed`` once a frame. Point ids are item ids, so a repeat overwrites.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from core.envelope import Event
from core.errors import SchemaError
from core.events import Data, EmbeddedItem, IndexedItem, ItemsEmbedded, ItemsIndexed, Product
from core.ids import point_id
from core.runtime.stage import Context, Output, Stage
from core.vectors.generations import Generations
from core.vectors.port import Filter, Hit, Point, VectorStore

_NEIGHBOURS = 64
_PAGE = 256


class IndexStage(Stage):
    name = "index"
    reads = (ItemsEmbedded,)
    purposes = frozenset({"catalog"})

    def __init__(
        self, vectors: VectorStore, catalog: str, dim: int, duplicate_threshold: float
    ) -> None:
        self._vectors = vectors
        self._generations = Generations(vectors, catalog)
        self._dim = dim
        self._threshold = duplicate_threshold
        self._one_at_a_time = asyncio.Lock()

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        embedded = event.of(ItemsEmbedded).data
        if embedded.product is None:
            raise SchemaError("items.embedded of purpose 'catalog' carries no product")
        # Two frames that look for a generation, or for each other's duplicates, take turns.
        async with self._one_at_a_time:
            collection = await self._generations.writable(embedded.embedder, self._dim)
            points = [_point(event, embedded.product, item) for item in embedded.items]
            if points:
                await self._vectors.upsert(collection, embedded.embedder, points)
            orphans = await self._remove_leftovers(collection, embedded.frame.frame_id, points)
            await self._flag_duplicates(collection, embedded.embedder, points, orphans)
        indexed = ItemsIndexed(
            media_id=embedded.media_id,
            frame=embedded.frame,
            embedder=embedded.embedder,
            catalog=collection,
            items=[
                IndexedItem(**item.model_dump(round_trip=True), point_id=point_id(item.item_id))
                for item in embedded.items
            ],
            notes=embedded.notes,
            product=embedded.product,
        )
        return [Output(indexed)]

    async def _remove_leftovers(
        self, collection: str, frame: str, points: Sequence[Point]
    ) -> list[Point]:
        """Removes what an earlier run left of this frame; gives the points of other frames that
        were flagged as duplicates of it."""
        leftovers = Filter({"frame_id": [frame]}, {"item_id": [point.id for point in points]})
        gone = await self._all(collection, leftovers)
        if not gone:
            return []
        await self._vectors.delete(collection, leftovers)
        return await self._all(collection, Filter({"duplicate_of": [point.id for point in gone]}))

    async def _all(self, collection: str, where: Filter) -> list[Point]:
        points, after = await self._vectors.scroll(collection, where, _PAGE)
        while after is not None:
            page, after = await self._vectors.scroll(collection, where, _PAGE, after)
            points += page
        return points

    async def _flag_duplicates(
        self, collection: str, embedder: str, written: Sequence[Point], orphans: Sequence[Point]
    ) -> None:
        """Flags whichever of two near items has the larger (product id, item id), so the flags
        are the same whatever arrived first. Nothing is deleted."""
        points = [*written, *orphans]
        if not points:
            return
        flags: dict[str, tuple[str, str] | None] = {point.id: None for point in orphans}
        vectors = np.stack([point.vector for point in points])
        neighbours = await self._neighbours(collection, embedder, vectors)
        for point, hits in zip(points, neighbours, strict=True):
            own = _rank(point.payload, point.id)
            for hit in hits:
                other = _rank(hit.payload, hit.id)
                if other < own:
                    flags[point.id] = min(flags.get(point.id) or other, other)
                elif other > own:
                    known = flags[hit.id] if hit.id in flags else _flag(hit)
                    flags[hit.id] = min(known or own, own)
        await self._vectors.annotate(
            collection,
            {
                point: {
                    "duplicate_of_product": flag[0] if flag else None,
                    "duplicate_of": flag[1] if flag else None,
                }
                for point, flag in flags.items()
            },
        )

    async def _neighbours(
        self, collection: str, embedder: str, vectors: np.ndarray[Any, Any]
    ) -> list[list[Hit]]:
        limit = _NEIGHBOURS
        while True:
            hits = await self._vectors.search(collection, embedder, vectors, limit, self._threshold)
            if all(len(found) < limit for found in hits):
                return hits
            limit *= 8


def _point(event: Event[Data], product: Product, item: EmbeddedItem) -> Point:
    """The point of an item; its payload has the names that the predecessor's clients know."""
    payload = {
        "product_id": product.id,
        "product_name": product.name,
        "file_path": item.crop_key,
        "filename": PurePosixPath(item.crop_key).name,
        "class_name": item.label,
        "category": item.category,
        "title": product.title,
        "description": product.description,
        "product_type": product.product_type,
        "price": product.price,
        "tags": product.tags,
        "collections": product.collections,
        "media_id": event.subject,
        "frame_id": event.frame,
        "item_id": item.item_id,
    }
    return Point(point_id(item.item_id), item.array(), payload)


def _rank(payload: Mapping[str, Any], item: str) -> tuple[str, str]:
    return str(payload.get("product_id", "")), item


def _flag(hit: Hit) -> tuple[str, str] | None:
    flagged = hit.payload.get("duplicate_of")
    return (str(hit.payload.get("duplicate_of_product", "")), str(flagged)) if flagged else None
