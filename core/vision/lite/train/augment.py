"""Training views: the same garment as other cameras, crops and backgrounds would show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.views import CROP_SIDE, letterbox, normalised, on_plain_ground, resize
from core.vision.port import Image, Mask

Random = np.random.Generator


def jpeg(image: Image, quality: int) -> Image:
    """The picture after one round of JPEG compression."""
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1])


def degraded(image: Image, random: Random) -> Image:
    """The picture as a small, compressed copy of itself."""
    share = random.uniform(0.25, 1.0)
    height, width = image.shape[:2]
    small = resize(image, max(24, int(width * share)), max(24, int(height * share)))
    return jpeg(small, int(random.integers(30, 90)))


def blend(below: Image, above: Image, mask: Mask, softness: float) -> Image:
    """Lay ``above`` over ``below`` where the mask says so, with soft edges."""
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), softness)[..., None]
    return np.asarray(above * alpha + below * (1 - alpha)).clip(0, 255).astype(np.uint8)


def pasted(image: Image, mask: Mask, ground: Image, random: Random) -> tuple[Image, Mask]:
    """The garment at 70 to 95% of its size on another background of the photo's size."""
    height, width = image.shape[:2]
    scale = random.uniform(0.7, 0.95)
    small_width, small_height = int(width * scale), int(height * scale)
    small = resize(image, small_width, small_height)
    small_mask = cv2.resize(
        mask.astype(np.uint8), (small_width, small_height), interpolation=cv2.INTER_NEAREST
    )
    y = int(random.integers(0, height - small_height + 1))
    x = int(random.integers(0, width - small_width + 1))
    picture = resize(ground, width, height)
    window = np.s_[y : y + small_height, x : x + small_width]
    picture[window] = blend(picture[window], small, small_mask > 0, 1.0)
    full = np.zeros((height, width), bool)
    full[window] = small_mask > 0
    return picture, full


def cropped(image: Image, random: Random, least: float = 0.6) -> Image:
    """A random window of 60 to 100% of the area."""
    height, width = image.shape[:2]
    share = np.sqrt(random.uniform(least, 1.0))
    rows, columns = max(8, int(height * share)), max(8, int(width * share))
    y, x = random.integers(0, height - rows + 1), random.integers(0, width - columns + 1)
    return image[y : y + rows, x : x + columns]


def relit(tensor: npt.NDArray[np.float32], random: Random) -> npt.NDArray[np.float32]:
    """Another exposure and a slight colour cast, on a normalised ``(3, h, w)`` tensor."""
    cast = random.uniform(-0.06, 0.06, (3, 1, 1))
    lit = tensor * random.uniform(0.8, 1.25) + random.uniform(-0.15, 0.15) + cast
    return np.asarray(lit.clip(-1, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Draws training views.

    Attributes:
        grounds: backgrounds to paste on.
        degrade: whether some views are shrunk and compressed.
    """

    grounds: Sequence[Image]
    degrade: bool

    def view(self, image: Image, mask: Mask, random: Random) -> npt.NDArray[np.float32]:
        """One view of a garment; ``(3, 224, 224) float32``, normalised."""
        picture = self._scene(image, mask, random)
        picture = cropped(picture, random)
        if self.degrade and random.random() < 0.35:
            picture = degraded(picture, random)
        if random.random() < 0.5:
            picture = picture[:, ::-1]
        if random.random() < 0.8:
            square = letterbox(np.ascontiguousarray(picture), CROP_SIDE, 255).picture
        else:
            square = resize(np.ascontiguousarray(picture), CROP_SIDE, CROP_SIDE)
        return relit(normalised(square), random)

    def _scene(self, image: Image, mask: Mask, random: Random) -> Image:
        kind = random.random()
        if kind < 0.35:
            return image
        if kind < 0.7:
            return on_plain_ground(image, mask, int(random.choice([255, 255, 255, 128])))
        ground = self.grounds[int(random.integers(len(self.grounds)))]
        picture, moved = pasted(image, mask, ground, random)
        return on_plain_ground(picture, moved) if random.random() < 0.4 else picture
