"""index: the items of a catalog frame become points.

Reads ``items.embedded`` of ``purpose: catalog``. Writes one point an item into the generation of
its embedder, removes what the same frame left there before, flags duplicates, and publishes
``items.indexed`` once a frame. Point ids are item ids, so a repeat overwrites.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from core.envelope import Event
from core.errors import SchemaError
from core.events import Data, EmbeddedItem, IndexedItem, ItemsEmbedded, ItemsIndexed, Product
from core.ids import point_id
from core.runtime.stage import Context, Output, Stage
from core.vectors.flags import DuplicateFlags, rank_of
from core.vectors.generations import Generations
from core.vectors.port import Filter, Point, VectorStore

_PAGE = 256
_ROUNDING = 1e-6
"""By so much a number of a vector may come back from a store other than it was given."""


class IndexStage(Stage):
    """Any number of processes may index at the same time: see ``core.vectors.flags``."""

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

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        embedded = event.of(ItemsEmbedded).data
        if embedded.product is None:
            raise SchemaError("items.embedded of purpose 'catalog' carries no product")
        collection = await self._generations.writable(embedded.embedder, self._dim)
        points = [_point(event, embedded.product, item) for item in embedded.items]
        await self._replace(collection, embedded.embedder, embedded.frame.frame_id, points)
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

    async def _replace(
        self, collection: str, embedder: str, frame: str, points: Sequence[Point]
    ) -> None:
        """Leaves these points of the frame and no others. What an earlier run left is deleted last,
        so that after a crash on the way it can still be seen what it was."""
        flags = DuplicateFlags(self._vectors, collection, embedder, self._threshold)
        new = {point.id: point for point in points}
        leaving = [
            old
            for old in await self._points_of(collection, frame)
            if old.id not in new or not _same(old, new[old.id])
        ]
        if leaving:
            await flags.release(leaving)
        if points:
            await self._vectors.upsert(collection, embedder, points)
        if any(old.id not in new for old in leaving):
            await self._vectors.delete(
                collection, Filter({"frame_id": [frame]}, {"item_id": list(new)})
            )
        await flags.settle(points)

    async def _points_of(self, collection: str, frame: str) -> list[Point]:
        where = Filter({"frame_id": [frame]})
        points, after = await self._vectors.scroll(collection, where, _PAGE)
        while after is not None:
            page, after = await self._vectors.scroll(collection, where, _PAGE, after)
            points += page
        return points


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


def _same(old: Point, new: Point) -> bool:
    """Whether it bears on the same flags as before."""
    return rank_of(old) == rank_of(new) and np.allclose(
        old.vector, new.vector, rtol=0, atol=_ROUNDING
    )
