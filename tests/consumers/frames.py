"""Events of one stored frame, for tests of segment and embed."""

from __future__ import annotations

import cv2

from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.events import Data, Frame, FrameExtracted, Item, ItemsSegmented, Product
from core.ids import frame_id
from core.log.port import TopicPartition
from core.runtime.stage import Context
from core.vision.port import Image

MEDIA = "0" * 31 + "1"
CONTEXT = Context(TopicPartition("t", 0), 0, 1)
PRODUCT = Product(id="7")


def frame(image: Image, time_ms: int = 0) -> Frame:
    return Frame(
        frame_id=frame_id(MEDIA, time_ms),
        blob_key=f"frames/{time_ms}.png",
        time_ms=time_ms,
        timecode="",
        width=image.shape[1],
        height=image.shape[0],
    )


async def extracted(
    blobs: BlobStore, image: Image, time_ms: int = 0, prompt: str | None = None
) -> Event[Data]:
    """Stores the frame and says so."""
    about = frame(image, time_ms)
    _, png = cv2.imencode(".png", image[:, :, ::-1])
    await blobs.put([Blob(about.blob_key, png.tobytes(), "image/png")])
    data = FrameExtracted(media_id=MEDIA, frame=about, prompt=prompt, product=PRODUCT)
    return _event(data, about)


def segmented(image: Image, items: list[Item], time_ms: int = 0) -> Event[Data]:
    about = frame(image, time_ms)
    data = ItemsSegmented(
        media_id=MEDIA, frame=about, items=items, notes=["a note"], product=PRODUCT
    )
    return _event(data, about)


def _event(data: Data, about: Frame) -> Event[Data]:
    return Event(
        id=f"{data.topic}-{about.frame_id}",
        source="/test",
        subject=MEDIA,
        root="r",
        pipeline="p",
        frame=about.frame_id,
        data=data,
    )
