"""Photos without garments that the package scikit-image ships, all CC0 or public domain.

Windows of some serve as backgrounds in training; others are kept for measuring alone.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import cv2
import numpy as np

from core.vision.lite.train.backgrounds import SIDE
from core.vision.lite.views import letterbox, resize
from core.vision.port import Image

TRAINED = ("brick", "cell", "chelsea", "coffee", "coins", "grass", "retina", "rocket")
"""Surfaces, a cat, a cup, coins, a launch: what the dense head learns to leave alone."""

MEASURED = (
    "clock_motion",
    "color",
    "gravel",
    "horse",
    "hubble_deep_field",
    "ihc",
    "moon",
    "motorcycle_left",
    "page",
    "text",
)
"""Never trained on."""

_SUFFIXES = (".png", ".jpg")


def read_picture(name: str) -> Image:
    """``(h, w, 3) uint8`` RGB."""
    folder = files("skimage").joinpath("data")
    for suffix in _SUFFIXES:
        source = folder.joinpath(name + suffix)
        if source.is_file():
            with as_file(source) as path:
                picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))
            return np.ascontiguousarray(picture[:, :, ::-1])
    raise FileNotFoundError(f"scikit-image ships no picture called {name}")


def windows(count: int, random: np.random.Generator) -> list[Image]:
    """Random square windows of the training pictures, ``(320, 320, 3) uint8``, some tinted."""
    pictures = [read_picture(name) for name in TRAINED]
    found: list[Image] = []
    for k in range(count):
        picture = pictures[k % len(pictures)]
        height, width = picture.shape[:2]
        side = int(min(height, width) * random.uniform(0.4, 1.0))
        y, x = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
        window = resize(np.ascontiguousarray(picture[y : y + side, x : x + side]), SIDE, SIDE)
        tint = random.uniform(0.75, 1.25, 3) if random.random() < 0.4 else np.ones(3)
        found.append((window * tint).clip(0, 255).astype(np.uint8))
    return found


def measured() -> list[Image]:
    """The pictures that are kept for measuring, letterboxed."""
    return [letterbox(read_picture(name)).picture for name in MEASURED]
