"""embed: the items of a frame get their vectors.

Reads ``items.segmented``. Loads the crops, runs the embedder over those of many frames at once, and
publishes ``items.embedded`` once a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from consumers import pixels
from core.blobs.port import BlobStore
from core.envelope import Event
from core.events import (
    Data,
    EmbeddedItem,
    Item,
    ItemsEmbedded,
    ItemsSegmented,
    Vectors,
    encode_vector,
)
from core.runtime.stage import BatchStage, Output
from core.vision.port import Crop, Embedder


class EmbedStage(BatchStage[list[Crop], Vectors]):
    name = "embed"
    reads = (ItemsSegmented,)

    def __init__(
        self, blobs: BlobStore, embedder: Embedder, batch_size: int, batch_wait_s: float
    ) -> None:
        super().__init__(batch_size, batch_wait_s)
        self._blobs = blobs
        self._embedder = embedder
        self.version = embedder.version

    def warm_up(self) -> None:
        self._embedder.load()

    async def load(self, event: Event[Data]) -> list[Crop]:
        items = event.of(ItemsSegmented).data.items
        return list(await asyncio.gather(*(self._crop(item) for item in items)))

    async def _crop(self, item: Item) -> Crop:
        image = await asyncio.to_thread(pixels.decode, await self._blobs.get(item.crop_key))
        if item.masked_key is None:
            return Crop(image, None)
        alpha = await self._blobs.get(item.masked_key)
        return Crop(image, await asyncio.to_thread(pixels.decode_alpha, alpha))

    def infer(self, batch: Sequence[list[Crop]]) -> list[Vectors]:
        crops = [crop for frame in batch for crop in frame]
        if not crops:
            return [np.empty((0, self._embedder.dim), np.float32) for _ in batch]
        vectors = self._embedder.embed(crops)
        ends = np.cumsum([len(frame) for frame in batch])[:-1]
        return np.split(vectors, ends)

    async def store(
        self, event: Event[Data], loaded: list[Crop], result: Vectors
    ) -> Sequence[Output]:
        segmented = event.of(ItemsSegmented).data
        items = [
            EmbeddedItem(**item.model_dump(), vector=encode_vector(vector))
            for item, vector in zip(segmented.items, result, strict=True)
        ]
        return [
            Output(
                ItemsEmbedded(
                    media_id=segmented.media_id,
                    frame=segmented.frame,
                    embedder=self._embedder.version,
                    items=items,
                    notes=segmented.notes,
                    product=segmented.product,
                )
            )
        ]
