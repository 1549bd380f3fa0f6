"""Vision without weights: finds flat blobs of colour, and calls them after their colour.

Deterministic and quick, so that tests of everything around a vision profile need none. A garment
is a patch of one of six colours on a plain, pale background; its colour decides its category, and
its vector is what it is painted with, so two patches match if they share their paint.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from core.events import Vectors
from core.vision.boxes import whole_pixels
from core.vision.hint import Hint
from core.vision.port import Crop, Detection, DuplicateThresholds, Image, Instance, Profile
from core.vision.prompt import phrases

PAINTS: dict[str, tuple[tuple[int, int, int], str]] = {
    "red": ((200, 30, 30), "topwear"),
    "green": ((30, 160, 60), "bottomwear"),
    "blue": ((30, 60, 200), "outerwear"),
    "black": ((25, 25, 25), "footwear"),
    "purple": ((130, 40, 160), "dress"),
    "orange": ((240, 140, 20), "headwear"),
}
"""Colour name -> RGB, and the category that garments of this colour belong to."""

_LEAST_SIDE = 12
_SATURATED = 60
_DARK = 90


class StandinDetector:
    """Every connected patch that is not background is one item."""

    version = "standin-detector-1"

    def load(self) -> None:
        return

    def unsupported(self, prompt: str) -> tuple[str, ...]:
        return tuple(p for p in phrases(prompt) if p not in _CATEGORIES)

    def detect(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Detection]]:
        return [_patches(i, phrases(p)) for i, p in zip(images, prompts, strict=True)]


class StandinSegmenter:
    """The mask is the patch itself."""

    version = "standin-segmenter-1"

    def load(self) -> None:
        return

    def segment(
        self, images: Sequence[Image], detections: Sequence[Sequence[Detection]]
    ) -> list[list[Instance]]:
        return [
            [
                Instance(d.label, d.category, d.score, d.box, d.hint.within(box) > 0.5)
                for d in found
                if d.hint is not None
                for box in [whole_pixels(d.box, image.shape)]
            ]
            for image, found in zip(images, detections, strict=True)
        ]


class StandinEmbedder:
    """How much of the item is painted with which colour."""

    version = "standin-embedder-1"
    dim = len(PAINTS)
    match_threshold = 0.85
    duplicate_thresholds = DuplicateThresholds(0.999, 0.999, 0.999)

    def load(self) -> None:
        return

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        vectors = np.empty((len(crops), self.dim), np.float32)
        for row, crop in zip(vectors, crops, strict=True):
            pixels = crop.image.reshape(-1, 3) if crop.mask is None else crop.image[crop.mask]
            row[:] = np.bincount(_nearest(pixels), minlength=self.dim)
            row /= np.linalg.norm(row)
        return vectors


def standin_vision() -> Profile:
    """The three of them, as the engine wants them."""
    return Profile(
        "standin",
        StandinDetector(),
        StandinSegmenter(),
        StandinEmbedder(),
        limits=("it sees patches of six colours",),
    )


def picture(*paints: str, side: int = 96, shade: int = 250) -> Image:
    """``(side, n * side, 3) uint8`` RGB: one patch of each paint, side by side.

    ``shade`` is the grey of the background, 200 to 255: other shades, other bytes, same garments.
    """
    image = np.full((side, side * max(len(paints), 1), 3), shade, np.uint8)
    margin = side // 5
    for column, paint in enumerate(paints):
        left = column * side
        image[margin : side - margin, left + margin : left + side - margin] = PAINTS[paint][0]
    return image


def png(*paints: str, side: int = 96, shade: int = 250) -> bytes:
    """:func:`picture` as a PNG file's bytes."""
    ok, data = cv2.imencode(".png", picture(*paints, side=side, shade=shade)[:, :, ::-1])
    assert ok
    return data.tobytes()


_NAMES = tuple(PAINTS)
_COLOURS = np.array([rgb for rgb, _ in PAINTS.values()], np.int32)
_CATEGORIES = frozenset(category for _, category in PAINTS.values())


def _nearest(pixels: Image) -> np.ndarray:
    """``(n,)``: the paint that each of ``(n, 3)`` pixels is nearest to."""
    away = pixels[:, None, :].astype(np.int32) - _COLOURS
    return np.asarray((away * away).sum(axis=2).argmin(axis=1))


def _patches(image: Image, wanted: Sequence[str]) -> list[Detection]:
    spread = image.max(axis=2).astype(int) - image.min(axis=2)
    cover = ((spread > _SATURATED) | (image.max(axis=2) < _DARK)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cover, connectivity=4)
    found = []
    for number in range(1, count):
        x, y, width, height = (int(value) for value in stats[number][:4])
        if min(width, height) < _LEAST_SIDE:
            continue
        mask = labels == number
        paint = _NAMES[int(np.bincount(_nearest(image[mask])).argmax())]
        category = PAINTS[paint][1]
        if wanted and category not in wanted:
            continue
        box = (float(x), float(y), float(x + width), float(y + height))
        hint = Hint.of(mask, (0, 0, image.shape[1], image.shape[0]))
        found.append(Detection(f"{paint} thing", category, 0.9, box, hint))
    return found
