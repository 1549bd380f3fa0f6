"""How a picture becomes network input: scaled, padded, normalised. Training and serving share it.

All pictures are ``(h, w, 3) uint8`` RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.port import Image, Mask

DETECTOR_SIDE: Final = 320
"""Pixels of the square the detector looks at."""

CROP_SIDE: Final = 224
"""Pixels of the square the crop heads look at."""

_GREY: Final = 127
_WHITE: Final = 255
_MARGIN: Final = 0.04
_LEAST_PIXELS: Final = 30


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture centred on a grey square, and the way back.

    Attributes:
        picture: ``(side, side, 3) uint8`` RGB.
        scale: square pixels per picture pixel.
        left, top: where the picture begins on the square, in square pixels.
    """

    picture: Image
    scale: float
    left: int
    top: int


def resize(image: Image, width: int, height: int) -> Image:
    """Scale to ``(height, width)``: averaging when it shrinks, bilinear when it grows."""
    shrinks = width < image.shape[1] or height < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (max(1, width), max(1, height)), interpolation=method))


def letterbox(image: Image, side: int = DETECTOR_SIDE, fill: int = _GREY) -> Letterbox:
    """Fit a picture into a square without changing its proportions."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    small = resize(image, round(width * scale), round(height * scale))
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    square = np.full((side, side, 3), fill, np.uint8)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return Letterbox(square, scale, left, top)


def on_plain_ground(image: Image, mask: Mask, fill: int = _WHITE) -> Image:
    """The masked item alone, cut to its outline plus a small margin, on one colour.

    A mask of next to nothing says nothing about the item: then the picture comes back as it is.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if np.count_nonzero(mask) < _LEAST_PIXELS:
        return image
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    item = np.where(mask[window][..., None], image[window], np.uint8(fill))
    margin = int(_MARGIN * max(item.shape[:2]))
    return np.pad(item, ((margin, margin), (margin, margin), (0, 0)), constant_values=fill)


def crop_view(image: Image, mask: Mask | None) -> Image:
    """What the crop heads see: ``(224, 224, 3) uint8``, the item on white, proportions kept."""
    item = image if mask is None else on_plain_ground(image, mask)
    return letterbox(item, CROP_SIDE, _WHITE).picture


def normalised(picture: Image) -> npt.NDArray[np.float32]:
    """``(3, h, w) float32``, about -1 to 1, as EfficientNet-Lite expects it."""
    return np.ascontiguousarray(((picture.astype(np.float32) - 127) / 128).transpose(2, 0, 1))
