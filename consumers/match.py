"""match: the items of a user's frame meet the catalog.

Reads ``items.embedded`` of ``purpose: query``. Searches the serving generation and publishes
``items.matched`` once a frame: per item the best distinct products, each by its best crop. Without
a catalog the event gives that as the reason; nothing fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.envelope import Event
from core.events import Data, EmbeddedItem, ItemsEmbedded, ItemsMatched, Match, MatchedItem, Vectors
from core.runtime.stage import Context, Output, Stage
from core.vectors.flags import FIELDS
from core.vectors.generations import Generations
from core.vectors.port import Hit, VectorStore

_FIRST_LIMIT = 32
_INTERNAL = FIELDS | {"media_id", "frame_id", "item_id"}


class MatchStage(Stage):
    name = "match"
    reads = (ItemsEmbedded,)
    purposes = frozenset({"query"})

    def __init__(self, vectors: VectorStore, catalog: str, top_k: int, min_score: float) -> None:
        self._vectors = vectors
        self._generations = Generations(vectors, catalog)
        self._top_k = top_k
        self._min_score = min_score

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        embedded = event.of(ItemsEmbedded).data
        collection, reason = await self._generations.searchable(embedded.embedder)
        matches: list[list[Match]] = [[] for _ in embedded.items]
        if collection is not None and embedded.items:
            matches = await self._search(collection, embedded.embedder, embedded.items)
        matched = ItemsMatched(
            media_id=embedded.media_id,
            frame=embedded.frame,
            embedder=embedded.embedder,
            items=[
                MatchedItem(**item.model_dump(round_trip=True), matches=best)
                for item, best in zip(embedded.items, matches, strict=True)
            ],
            notes=embedded.notes,
            catalog=collection,
            reason=reason,
        )
        return [Output(matched)]

    async def _search(
        self, collection: str, embedder: str, items: Sequence[EmbeddedItem]
    ) -> list[list[Match]]:
        vectors: Vectors = np.stack([item.array() for item in items])
        found: list[list[Match]] = [[] for _ in items]
        rows, limit = list(range(len(items))), _FIRST_LIMIT
        while rows:
            hits = await self._vectors.search(
                collection, embedder, vectors[rows], limit, self._min_score
            )
            again = []
            for row, found_here in zip(rows, hits, strict=True):
                found[row] = self._best(found_here)
                # One product with many crops can crowd the others out: look further.
                if len(found[row]) < self._top_k and len(found_here) == limit:
                    again.append(row)
            rows, limit = again, limit * 8
        return found

    def _best(self, hits: Sequence[Hit]) -> list[Match]:
        best: dict[str, Match] = {}
        for hit in hits:
            product = str(hit.payload.get("product_id", ""))
            if product not in best:
                payload = {k: v for k, v in hit.payload.items() if k not in _INTERNAL}
                best[product] = Match(
                    product_id=product,
                    score=round(hit.score, 6),
                    point_id=hit.id,
                    payload=payload,
                )
        return list(best.values())[: self._top_k]
