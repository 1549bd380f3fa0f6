"""Pictures that travel inside the page: fetched, shrunk, written as data URIs."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from core.blobs.port import BlobStore
from core.errors import BlobMissingError
from core.events import MediaTagged

FRAME_SIDE: Final = 960
"""Longest side of a key frame in the page, pixels."""

CROP_SIDE: Final = 200
"""Longest side of an item's or a product's crop, pixels; shown at half of it on sharp screens."""

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the page holds it; ``width`` and ``height`` in pixels."""

    uri: str
    width: int
    height: int


class Gallery:
    """The pictures of one medium by blob key and size; what is gone or broken is missing."""

    def __init__(self, pictures: Mapping[tuple[str, int], Picture]) -> None:
        self._pictures = pictures

    def frame(self, key: str) -> Picture | None:
        """A key frame."""
        return self._pictures.get((key, FRAME_SIDE))

    def crop(self, key: str) -> Picture | None:
        """An item's or a product's crop."""
        return self._pictures.get((key, CROP_SIDE))


async def fetch(medium: MediaTagged, blobs: BlobStore) -> Gallery:
    """All pictures that a medium's card shows; raises OutageError while the store is away."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str, side: int) -> tuple[tuple[str, int], Picture | None]:
        async with gate:
            try:
                data = await blobs.get(key)
            except BlobMissingError:
                return (key, side), None
            return (key, side), await asyncio.to_thread(shrink, data, side)

    found = await asyncio.gather(*(one(key, side) for key, side in _wanted(medium)))
    return Gallery({place: picture for place, picture in found if picture is not None})


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
            clear = image.has_transparency_data
            image = image.convert("RGBA" if clear else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if clear:
        image.save(out, "WEBP", quality=80, method=3)
    else:
        image.save(out, "JPEG", quality=80, optimize=True)
    kind = "webp" if clear else "jpeg"
    text = base64.b64encode(out.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", *image.size)


def _wanted(medium: MediaTagged) -> Iterable[tuple[str, int]]:
    wanted = {(frame.blob_key, FRAME_SIDE) for frame in medium.frames}
    wanted |= {(crop_key(item.crop_key, item.masked_key), CROP_SIDE) for item in medium.items}
    wanted |= {(point.crop_key, CROP_SIDE) for point in medium.points}
    wanted |= {
        (product_key(match.payload), CROP_SIDE) for item in medium.items for match in item.matches
    }
    return sorted(place for place in wanted if place[0])
