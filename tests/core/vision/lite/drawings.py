"""Simple garments drawn by hand for tests, apart from those the network trained on."""

from __future__ import annotations

import cv2
import numpy as np

from core.vision.port import Image

T_SHIRT = [
    (70, 40), (90, 30), (110, 42), (130, 30), (150, 40), (195, 75), (175, 105), (155, 92),
    (155, 200), (65, 200), (65, 92), (45, 105), (25, 75),
]  # fmt: skip
TROUSERS = [(75, 15), (145, 15), (165, 205), (125, 205), (110, 85), (95, 205), (55, 205)]
DRESS = [(85, 10), (95, 25), (125, 25), (135, 10), (140, 85), (180, 210), (40, 210), (80, 85)]


def drawn(
    outline: list[tuple[int, int]],
    colour: tuple[int, int, int] = (180, 30, 50),
    ground: tuple[int, int, int] = (235, 235, 230),
    size: tuple[int, int] = (220, 220),
    at: tuple[int, int] = (0, 0),
) -> Image:
    """A flat garment on a flat ground; ``(h, w, 3) uint8`` RGB."""
    width, height = size
    picture = np.full((height, width, 3), ground, np.uint8)
    cv2.fillPoly(picture, [np.array(outline, np.int32) + np.array(at, np.int32)], colour)
    return picture


def side_by_side() -> Image:
    """A red T-shirt left of blue trousers, ``(260, 520, 3)``."""
    picture = drawn(T_SHIRT, size=(520, 260), at=(20, 15))
    cv2.fillPoly(picture, [np.array(TROUSERS, np.int32) + np.array([270, 20])], (30, 60, 150))
    return picture
