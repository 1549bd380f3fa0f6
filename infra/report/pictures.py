"""Pictures that travel inside the page: fetched, shrunk, written as data URIs."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from core.blobs.port import BlobStore
from core.errors import BlobMissingError, InvalidKeyError
from core.events import MediaTagged

_FRAME_SIDE: Final = 800
_FRAME_SIDE_OF_MANY: Final = 560
_MANY: Final = 4
"""More key frames than these are shown smaller, or a long video would fill the page alone."""

_CROP_SIDE: Final = 200
"""Longest side of an item's or a product's crop, pixels; shown at half of it on sharp screens."""

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the page holds it; ``width`` and ``height`` in pixels."""

    uri: str
    width: int
    height: int


class Gallery:
    """The pictures of one medium by blob key; what is gone or broken is missing."""

    def __init__(self, frames: Mapping[str, Picture], crops: Mapping[str, Picture]) -> None:
        self._frames = frames
        self._crops = crops

    def frame(self, key: str) -> Picture | None:
        """A key frame."""
        return self._frames.get(key)

    def crop(self, key: str) -> Picture | None:
        """An item's or a product's crop."""
        return self._crops.get(key)


async def fetch(medium: MediaTagged, blobs: BlobStore, shown: Container[str]) -> Gallery:
    """The pictures of a medium's card, without the products that the page has ``shown`` already.

    Raises OutageError while the store is away.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str, side: int) -> Picture | None:
        async with gate:
            try:
                data = await blobs.get(key)
            except (BlobMissingError, InvalidKeyError):
                return None
            return await asyncio.to_thread(shrink, data, side)

    async def all_of(keys: set[str], side: int) -> dict[str, Picture]:
        wanted = sorted(filter(None, keys))
        found = await asyncio.gather(*(one(key, side) for key in wanted))
        return {key: picture for key, picture in zip(wanted, found, strict=True) if picture}

    frames = {frame.blob_key for frame in medium.frames}
    frame_side = _FRAME_SIDE_OF_MANY if len(frames) > _MANY else _FRAME_SIDE
    return Gallery(
        await all_of(frames, frame_side), await all_of(_crops(medium, shown), _CROP_SIDE)
    )


def crop_key(crop: str, masked: str | None) -> str:
    """The crop to show: cut out where there is a mask."""
    return masked or crop


def product_key(payload: Mapping[str, object]) -> str:
    """Blob key of a catalog point's crop, or nothing."""
    return str(payload.get("file_path") or "")


def shrink(data: bytes, side: int) -> Picture | None:
    """A picture of at most ``side`` pixels; None for bytes that are no picture."""
    try:
        with Image.open(io.BytesIO(data)) as source:
            source.draft("RGB", (side, side))
            image = ImageOps.exif_transpose(source)
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=76, method=2)
    text = base64.b64encode(out.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{text}", *image.size)


def _crops(medium: MediaTagged, shown: Container[str]) -> set[str]:
    crops = {crop_key(item.crop_key, item.masked_key) for item in medium.items}
    crops |= {point.crop_key for point in medium.points}
    products = {product_key(match.payload) for item in medium.items for match in item.matches}
    return crops | {key for key in products if key not in shown}
