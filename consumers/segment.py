"""segment: a frame becomes its items.

Reads ``frames.extracted``. Finds items, cuts them out, stores a box crop and, with masking on, an
RGBA crop of each, and publishes ``items.segmented`` once a frame, also when nothing was found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from consumers import pixels
from core.blobs import keys
from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.events import Data, FrameExtracted, Item, ItemsSegmented
from core.ids import item_id
from core.runtime.stage import BatchStage, Output
from core.vision.boxes import whole_pixels, window
from core.vision.port import Detector, Image, Instance, Segmenter


@dataclass(frozen=True, slots=True)
class _Loaded:
    image: Image
    prompt: str


class SegmentStage(BatchStage[_Loaded, list[Instance]]):
    name = "segment"
    reads = (FrameExtracted,)

    def __init__(
        self,
        blobs: BlobStore,
        detector: Detector,
        segmenter: Segmenter,
        prompt: str,
        masking: bool,
        batch_size: int,
        batch_wait_s: float,
    ) -> None:
        super().__init__(batch_size, batch_wait_s)
        self.version = segment_version(detector, segmenter, prompt, masking)
        self._blobs = blobs
        self._detector = detector
        self._segmenter = segmenter
        self._prompt = prompt
        self._masking = masking

    def warm_up(self) -> None:
        self._detector.load()
        self._segmenter.load()

    async def load(self, event: Event[Data]) -> _Loaded:
        frame = event.of(FrameExtracted).data
        data = await self._blobs.get(frame.frame.blob_key)
        image = await asyncio.to_thread(pixels.decode, data)
        return _Loaded(image, frame.prompt if frame.prompt is not None else self._prompt)

    def infer(self, batch: Sequence[_Loaded]) -> list[list[Instance]]:
        images = [loaded.image for loaded in batch]
        detections = self._detector.detect(images, [loaded.prompt for loaded in batch])
        return self._segmenter.segment(images, detections)

    async def store(
        self, event: Event[Data], loaded: _Loaded, result: list[Instance]
    ) -> Sequence[Output]:
        extracted = event.of(FrameExtracted).data
        folder = keys.crops_prefix(self.path(event.pipeline), extracted.frame.frame_id)
        items, blobs = await asyncio.to_thread(
            self._cut, extracted.frame.frame_id, folder, loaded.image, result
        )
        await self._blobs.put(blobs)
        await self._remove_leftovers(folder, {blob.key for blob in blobs})
        unsupported = self._detector.unsupported(loaded.prompt)
        notes = [f"not supported by this vision profile: {phrase}" for phrase in unsupported]
        return [
            Output(
                ItemsSegmented(
                    media_id=extracted.media_id,
                    frame=extracted.frame,
                    items=items,
                    notes=notes,
                    product=extracted.product,
                )
            )
        ]

    def _cut(
        self, frame_id: str, folder: str, image: Image, instances: list[Instance]
    ) -> tuple[list[Item], list[Blob]]:
        items: list[Item] = []
        blobs: list[Blob] = []
        for ordinal, instance in enumerate(sorted(instances, key=lambda found: found.box)):
            box = whole_pixels(instance.box, image.shape)
            crop = image[window(box)]
            crop_key = keys.crop_key(folder, ordinal)
            blobs.append(Blob(crop_key, pixels.encode_png(crop), "image/png"))
            masked_key = None
            if self._masking and instance.mask is not None:
                masked_key = keys.masked_key(folder, ordinal)
                masked = pixels.encode_png(crop, instance.mask)
                blobs.append(Blob(masked_key, masked, "image/png"))
            x0, y0, x1, y1 = box
            items.append(
                Item(
                    item_id=item_id(frame_id, self.version, ordinal),
                    label=instance.label,
                    category=instance.category,
                    score=round(instance.score, 6),
                    box=(float(x0), float(y0), float(x1), float(y1)),
                    crop_key=crop_key,
                    masked_key=masked_key,
                )
            )
        return items, blobs

    async def _remove_leftovers(self, folder: str, kept: set[str]) -> None:
        """The frame is the unit of replacement: what an earlier run left here goes."""
        gone = [stat.key async for stat in self._blobs.list(folder) if stat.key not in kept]
        if gone:
            await self._blobs.delete(gone)


def segment_version(detector: Detector, segmenter: Segmenter, prompt: str, masking: bool) -> str:
    """Whatever changes what this stage finds or stores."""
    return f"{detector.version}+{segmenter.version}+{prompt}+masking={masking}"
