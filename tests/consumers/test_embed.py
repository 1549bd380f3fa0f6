"""embed at its ports: stored crops become vectors, in the order of the items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from consumers import pixels
from consumers.embed import EmbedStage
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.errors import BlobMissingError
from core.events import Data, Item, ItemsEmbedded, Vectors
from core.runtime.stage import Output
from core.vision.port import Crop, DuplicateThresholds, Image
from tests.consumers.frames import CONTEXT, MEDIA, PRODUCT, segmented
from tests.core.runtime.stages import at_work

FRAME: Image = np.zeros((60, 100, 3), np.uint8)


class Brightness:
    """An embedder whose vectors tell how bright a crop is, and how much of it is masked."""

    version = "brightness-1"
    dim = 2
    match_threshold = 0.9
    duplicate_thresholds = DuplicateThresholds(0.99, 0.99, 0.99)

    def __init__(self) -> None:
        self.batches: list[list[Crop]] = []

    def load(self) -> None:
        return

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        assert crops, "asked for no vector at all"
        self.batches.append(list(crops))
        shares = [1.0 if crop.mask is None else crop.mask.mean() for crop in crops]
        means = [crop.image.mean() / 255 for crop in crops]
        return np.column_stack([means, shares]).astype(np.float32)


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobStore]:
    store = await FolderBlobStore.open(tmp_path / "blobs")
    yield store
    await store.close()


async def stored(
    blobs: BlobStore, name: str, grey: int, masked: float | None = None, side: int = 10
) -> Item:
    """An item whose crop is of one grey, and of whose mask this share is set."""
    crop = np.full((side, side, 3), grey, np.uint8)
    pictures = {f"crops/{name}.png": pixels.encode_png(crop)}
    if masked is not None:
        mask = np.zeros((side, side), bool)
        mask[: round(side * masked)] = True
        pictures[f"crops/{name}-masked.png"] = pixels.encode_png(crop, mask)
    await blobs.put([Blob(key, data, "image/png") for key, data in pictures.items()])
    return Item(
        item_id=name,
        label="shirt",
        category="topwear",
        score=0.9,
        box=(0, 0, side, side),
        crop_key=f"crops/{name}.png",
        masked_key=f"crops/{name}-masked.png" if masked is not None else None,
    )


@asynccontextmanager
async def opened(blobs: BlobStore, embedder: Brightness) -> AsyncIterator[EmbedStage]:
    async def publish(event: Event[Data], outputs: Sequence[Output]) -> None:
        raise AssertionError("embed publishes by its outputs alone")

    stage = EmbedStage(blobs, embedder, 4, 0.0)
    async with at_work(stage, publish):
        yield stage


def said(outputs: Sequence[Output]) -> ItemsEmbedded:
    (output,) = outputs
    assert isinstance(output.data, ItemsEmbedded)
    return output.data


async def embed(blobs: BlobStore, items: list[Item]) -> ItemsEmbedded:
    async with opened(blobs, Brightness()) as stage:
        return said(await stage.handle(segmented(FRAME, items), CONTEXT))


def vectors(data: ItemsEmbedded) -> list[tuple[float, ...]]:
    return [tuple(item.array().round(2).tolist()) for item in data.items]


async def test_each_item_gets_the_vector_of_its_own_crop(blobs: FolderBlobStore) -> None:
    items = [
        await stored(blobs, "bright", 255, side=30),
        await stored(blobs, "dark", 0, side=5),
        await stored(blobs, "grey", 51),
    ]

    found = await embed(blobs, items)

    assert [item.item_id for item in found.items] == ["bright", "dark", "grey"]
    assert vectors(found) == [(1.0, 1.0), (0.0, 1.0), (pytest.approx(0.2), 1.0)]


async def test_what_the_event_said_of_the_frame_goes_on(blobs: FolderBlobStore) -> None:
    item = await stored(blobs, "one", 255)

    found = await embed(blobs, [item])

    assert found.embedder == "brightness-1"
    assert (found.media_id, found.notes, found.product) == (MEDIA, ["a note"], PRODUCT)
    assert found.items[0].model_dump(exclude={"vector"}) == item.model_dump()


async def test_frames_of_one_batch_keep_their_own_vectors(blobs: FolderBlobStore) -> None:
    embedder = Brightness()
    stage = EmbedStage(blobs, embedder, 4, 0.0)
    frames = []
    for count in (2, 0, 3):
        items = [await stored(blobs, f"{count}-{n}", 51 * count) for n in range(count)]
        frames.append(await stage.load(segmented(FRAME, items)))

    found = stage.infer(frames)
    await stage.close()

    assert [len(frame) for frame in found] == [2, 0, 3]
    assert found[0][:, 0] == pytest.approx([0.4, 0.4])
    assert found[2][:, 0] == pytest.approx([0.6, 0.6, 0.6])
    assert [len(batch) for batch in embedder.batches] == [5]


async def test_frames_without_items_ask_for_no_vector(blobs: FolderBlobStore) -> None:
    embedder = Brightness()
    async with opened(blobs, embedder) as stage:
        events = [segmented(FRAME, [], time_ms) for time_ms in range(3)]

        outputs = await asyncio.gather(*(stage.handle(event, CONTEXT) for event in events))

    assert [said(output).items for output in outputs] == [[], [], []]
    assert embedder.batches == []


async def test_the_mask_is_where_the_masked_crop_is_opaque(blobs: FolderBlobStore) -> None:
    found = await embed(blobs, [await stored(blobs, "half", 255, masked=0.5)])

    assert vectors(found) == [(1.0, 0.5)]


async def test_without_masking_the_crop_is_embedded_whole(blobs: FolderBlobStore) -> None:
    embedder = Brightness()
    async with opened(blobs, embedder) as stage:
        event = segmented(FRAME, [await stored(blobs, "whole", 255)])

        await stage.handle(event, CONTEXT)

    assert embedder.batches[0][0].mask is None


@pytest.mark.parametrize("key", ["crops/one.png", "crops/one-masked.png"])
@pytest.mark.parametrize("damage", [b"", b"no picture"])
async def test_a_damaged_crop_asks_for_its_medium_again(
    blobs: FolderBlobStore, key: str, damage: bytes
) -> None:
    item = await stored(blobs, "one", 255, masked=0.5)
    await blobs.put([Blob(key, damage, "image/png")])

    with pytest.raises(BlobMissingError, match="damaged; submit"):
        await embed(blobs, [item])


@pytest.mark.parametrize("key", ["crops/one.png", "crops/one-masked.png"])
async def test_a_crop_that_is_gone_is_named(blobs: FolderBlobStore, key: str) -> None:
    item = await stored(blobs, "one", 255, masked=0.5)
    await blobs.delete([key])

    with pytest.raises(BlobMissingError, match=key):
        await embed(blobs, [item])
