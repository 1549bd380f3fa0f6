"""segment at its ports: what a profile finds becomes crops and one event a frame."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from consumers import pixels
from consumers.segment import SegmentStage, segment_version
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.errors import BlobMissingError
from core.events import Box, Data, ItemsSegmented
from core.runtime.stage import Output
from core.vision.boxes import whole_pixels
from core.vision.port import Detection, Image, Instance, Mask
from core.vision.prompt import phrases
from tests.consumers.frames import CONTEXT, PRODUCT, extracted
from tests.core.runtime.stages import at_work

IMAGE: Image = np.random.default_rng(5).integers(0, 256, (60, 100, 3), dtype=np.uint8)


@dataclass
class Told:
    """A detector that finds what it is told, in images of any content, and knows one word."""

    boxes: Sequence[Box] = ()
    version: str = "told-1"
    prompts: list[str] = field(default_factory=list)

    def load(self) -> None:
        return

    def unsupported(self, prompt: str) -> tuple[str, ...]:
        return tuple(phrase for phrase in phrases(prompt) if phrase != "shirt")

    def detect(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Detection]]:
        self.prompts += prompts
        return [[Detection("shirt", "topwear", 0.9, box) for box in self.boxes] for _ in images]


class Striped:
    """Cuts every other column of a box out; ``masks=False`` cuts nothing out."""

    version = "striped-1"

    def __init__(self, masks: bool = True) -> None:
        self._masks = masks

    def load(self) -> None:
        return

    def segment(
        self, images: Sequence[Image], detections: Sequence[Sequence[Detection]]
    ) -> list[list[Instance]]:
        return [
            [Instance(d.label, d.category, d.score, d.box, self._mask(d.box, image)) for d in found]
            for image, found in zip(images, detections, strict=True)
        ]

    def _mask(self, box: Box, image: Image) -> Mask | None:
        x0, y0, x1, y1 = whole_pixels(box, image.shape)
        return stripes((y1 - y0, x1 - x0)) if self._masks else None


def stripes(shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, bool)
    mask[:, ::2] = True
    return mask


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobStore]:
    store = await FolderBlobStore.open(tmp_path / "blobs")
    yield store
    await store.close()


@asynccontextmanager
async def opened(
    blobs: BlobStore, detector: Told, *, masking: bool = True, masks: bool = True
) -> AsyncIterator[SegmentStage]:
    async def publish(event: Event[Data], outputs: Sequence[Output]) -> None:
        raise AssertionError("segment publishes by its outputs alone")

    stage = SegmentStage(blobs, detector, Striped(masks), "shirt", masking, 4, 0.0)
    async with at_work(stage, publish):
        yield stage


async def segment(
    blobs: BlobStore,
    boxes: Sequence[Box],
    image: Image = IMAGE,
    *,
    masking: bool = True,
    masks: bool = True,
) -> ItemsSegmented:
    async with opened(blobs, Told(boxes), masking=masking, masks=masks) as stage:
        return said(await stage.handle(await extracted(blobs, image), CONTEXT))


def said(outputs: Sequence[Output]) -> ItemsSegmented:
    (output,) = outputs
    assert isinstance(output.data, ItemsSegmented)
    return output.data


async def keys(blobs: BlobStore, prefix: str = "crops/") -> list[str]:
    return [stat.key async for stat in blobs.list(prefix)]


async def test_items_are_numbered_by_their_boxes_whatever_was_found_first(
    blobs: FolderBlobStore,
) -> None:
    boxes = [(50.0, 5.0, 60.0, 20.0), (10.0, 30.0, 20.0, 40.0), (10.0, 2.0, 30.0, 30.0)]

    one = await segment(blobs, boxes)
    other = await segment(blobs, boxes[::-1])

    assert [item.box for item in one.items] == sorted(boxes)
    assert one == other
    assert len({item.item_id for item in one.items}) == 3
    assert [item.crop_key[-7:] for item in one.items] == ["000.png", "001.png", "002.png"]


async def test_crops_show_the_box_and_masked_crops_what_was_cut_out(
    blobs: FolderBlobStore,
) -> None:
    (item,) = (await segment(blobs, [(10.0, 20.0, 35.0, 50.0)])).items

    crop, inside = IMAGE[20:50, 10:35], stripes((30, 25))
    assert item.masked_key is not None
    masked = await blobs.get(item.masked_key)
    assert np.array_equal(pixels.decode(await blobs.get(item.crop_key)), crop)
    assert np.array_equal(pixels.decode_alpha(masked), inside)
    assert np.array_equal(pixels.decode(masked), crop * inside[:, :, None])


@pytest.mark.parametrize(
    ("box", "settled"),
    [
        ((-8.0, -3.5, 20.2, 30.0), (0.0, 0.0, 20.0, 30.0)),
        ((90.0, 50.0, 100.0, 60.0), (90.0, 50.0, 100.0, 60.0)),
        ((90.0, 50.0, 140.0, 90.0), (90.0, 50.0, 100.0, 60.0)),
        ((40.0, 30.0, 40.0, 30.0), (40.0, 30.0, 41.0, 31.0)),
        ((40.0, 30.0, 40.0, 50.0), (40.0, 30.0, 41.0, 50.0)),
        ((100.0, 60.0, 100.0, 60.0), (99.0, 59.0, 100.0, 60.0)),
        ((500.0, 500.0, 600.0, 600.0), (99.0, 59.0, 100.0, 60.0)),
        ((-90.0, -50.0, -10.0, -10.0), (0.0, 0.0, 1.0, 1.0)),
    ],
)
async def test_a_box_is_clamped_to_the_frame_and_its_crops_have_its_size(
    blobs: FolderBlobStore, box: Box, settled: Box
) -> None:
    (item,) = (await segment(blobs, [box])).items

    x0, y0, x1, y1 = settled
    assert item.box == settled
    assert item.masked_key is not None
    assert pixels.decode(await blobs.get(item.crop_key)).shape == (y1 - y0, x1 - x0, 3)
    assert pixels.decode_alpha(await blobs.get(item.masked_key)).shape == (y1 - y0, x1 - x0)


async def test_with_masking_off_there_are_crops_alone(blobs: FolderBlobStore) -> None:
    found = await segment(blobs, [(10.0, 20.0, 35.0, 50.0)], masking=False)

    assert found.items[0].masked_key is None
    assert await keys(blobs) == [found.items[0].crop_key]


async def test_a_profile_that_cuts_nothing_out_leaves_crops_alone(blobs: FolderBlobStore) -> None:
    found = await segment(blobs, [(10.0, 20.0, 35.0, 50.0)], masks=False)

    assert found.items[0].masked_key is None
    assert await keys(blobs) == [found.items[0].crop_key]


async def test_what_an_earlier_run_left_of_this_frame_goes_and_nothing_else(
    blobs: FolderBlobStore,
) -> None:
    first = await segment(blobs, [(10.0, 20.0, 35.0, 50.0), (50.0, 5.0, 60.0, 20.0)])
    folder = first.items[0].crop_key.removesuffix("000.png")
    beside = sorted([folder.replace("/000000000/", "/000000001/") + "000.png", "crops/q/0/000.png"])
    await blobs.put([Blob(key, b"x", "image/png") for key in beside])
    assert len(await keys(blobs, folder)) == 4

    (item,) = (await segment(blobs, [(1.0, 2.0, 3.0, 4.0)])).items

    assert await keys(blobs, folder) == [item.masked_key, item.crop_key]
    assert sorted(set(await keys(blobs)) - {item.crop_key, item.masked_key}) == beside


async def test_a_frame_that_has_lost_its_items_is_said_and_leaves_no_crop(
    blobs: FolderBlobStore,
) -> None:
    await segment(blobs, [(10.0, 20.0, 35.0, 50.0)])

    found = await segment(blobs, [])

    assert found.items == []
    assert found.product == PRODUCT
    assert await keys(blobs) == []


async def test_a_frames_own_prompt_comes_before_the_default(blobs: FolderBlobStore) -> None:
    detector = Told()
    async with opened(blobs, detector) as stage:
        default = said(await stage.handle(await extracted(blobs, IMAGE), CONTEXT))
        own = await extracted(blobs, IMAGE, prompt="Shirt. red  Bag.")
        everything = await extracted(blobs, IMAGE, prompt="")

        noted = said(await stage.handle(own, CONTEXT))
        await stage.handle(everything, CONTEXT)

    assert detector.prompts == ["shirt", "Shirt. red  Bag.", ""]
    assert default.notes == []
    assert noted.notes == ["not supported by this vision profile: red bag"]


async def test_a_damaged_frame_asks_for_its_medium_again(blobs: FolderBlobStore) -> None:
    async with opened(blobs, Told()) as stage:
        event = await extracted(blobs, IMAGE)
        await blobs.put([Blob("frames/0.png", b"", "image/png")])

        with pytest.raises(BlobMissingError, match="damaged; submit"):
            await stage.handle(event, CONTEXT)

        await blobs.delete(["frames/0.png"])
        with pytest.raises(BlobMissingError):
            await stage.handle(event, CONTEXT)


def test_whatever_changes_what_is_stored_changes_the_version() -> None:
    detector, segmenter = Told(), Striped()

    versions = {
        segment_version(detector, segmenter, "shirt", True),
        segment_version(detector, segmenter, "shirt", False),
        segment_version(detector, segmenter, "", True),
        segment_version(Told(version="told-2"), segmenter, "shirt", True),
    }

    assert len(versions) == 4
