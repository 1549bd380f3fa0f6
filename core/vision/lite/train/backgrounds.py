"""Backgrounds that are free to use: bare strips of the CC0 photos, and textures made by code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.views import resize
from core.vision.port import Image, Mask

Random = np.random.Generator

SIDE = 320
"""Pixels of a background's sides."""

_MOST_GARMENT = 0.01


def strips(
    images: Sequence[Image], masks: Sequence[Mask], positions: Iterable[int], most: int
) -> list[Image]:
    """Corners of photos that show no garment, mirrored into a full picture."""
    found: list[Image] = []
    for i in positions:
        if len(found) >= most:
            break
        image, mask = images[i], masks[i]
        height, width = mask.shape
        side = min(height, width) // 3
        for y, x in ((0, 0), (0, width - side), (height - side, 0), (height - side, width - side)):
            window = np.s_[y : y + side, x : x + side]
            if mask[window].mean() < _MOST_GARMENT:
                row = np.hstack([image[window], image[window][:, ::-1]])
                found.append(resize(np.vstack([row, row[::-1]]), SIDE, SIDE))
                break
    return found


def _noise(random: Random, rows: int, columns: int) -> npt.NDArray[np.float32]:
    coarse = random.random((rows, columns), np.float32)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def _colour(random: Random) -> npt.NDArray[np.float32]:
    """Mostly the muted colours of rooms, now and then any colour."""
    if random.random() < 0.3:
        return random.uniform(0, 255, 3).astype(np.float32)
    return np.asarray(random.uniform(20, 250) + random.uniform(-25, 25, 3), np.float32)


def _mix(
    pattern: npt.NDArray[np.float32], random: Random, contrast: float = 1.0
) -> npt.NDArray[np.float32]:
    first = _colour(random)
    second = first + (_colour(random) - first) * contrast
    return np.asarray(first + pattern[..., None] * (second - first), np.float32)


def _clouds(random: Random) -> npt.NDArray[np.float32]:
    pattern = sum(_noise(random, 2**k, 2**k) / 2**k for k in range(1, 8))
    return _mix(np.asarray(pattern, np.float32), random, random.uniform(0.2, 0.8))


def _grain(random: Random) -> npt.NDArray[np.float32]:
    lines = _noise(random, int(random.integers(2, 6)), int(random.integers(40, 160)))
    pattern = lines if random.random() < 0.5 else lines.T
    return _mix(np.ascontiguousarray(pattern), random, random.uniform(0.2, 0.7))


def _stripes(random: Random) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    angle, period = random.uniform(0, np.pi), random.uniform(8, 90)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    return _mix((wave > random.uniform(-0.8, 0.8)).astype(np.float32), random)


def _checks(random: Random) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] // int(random.integers(10, 80))
    return _mix(((x + y) % 2).astype(np.float32), random, random.uniform(0.2, 1.0))


def _tiles(random: Random) -> npt.NDArray[np.float32]:
    period, joint = int(random.integers(24, 120)), int(random.integers(1, 5))
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    shifted = x + (y // period % 2) * (period // 2) * int(random.integers(0, 2))
    return _mix(((y % period < joint) | (shifted % period < joint)).astype(np.float32), random)


def _slope(random: Random) -> npt.NDArray[np.float32]:
    return _mix(_noise(random, 2, 2), random, random.uniform(0.0, 0.6))


_PATTERNS = (_clouds, _grain, _stripes, _checks, _tiles, _slope, _slope)


def _clutter(picture: Image, random: Random) -> None:
    """Things that are no garments: boxes, balls, boards and bars, shaded."""
    for _ in range(int(random.integers(1, 9))):
        texture = _PATTERNS[int(random.integers(len(_PATTERNS)))](random)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        x, y = (int(v) for v in random.integers(0, SIDE, 2))
        w, h = (int(v) for v in random.integers(8, 130, 2))
        kind = random.integers(4)
        if kind == 0:
            cv2.rectangle(mask, (x, y), (x + w, y + h), 1, -1)
        elif kind == 1:
            cv2.ellipse(mask, (x, y), (w // 2, h // 2), random.uniform(0, 180), 0, 360, 1, -1)
        elif kind == 2:
            corners = random.integers(-70, 70, (int(random.integers(3, 6)), 2))
            corners += np.array([x, y])
            cv2.fillConvexPoly(mask, cv2.convexHull(corners.astype(np.int32)), 1)
        else:
            end = (int(random.integers(0, SIDE)), int(random.integers(0, SIDE)))
            cv2.line(mask, (x, y), end, 1, int(random.integers(2, 16)))
        picture[mask > 0] = texture.clip(0, 255)[mask > 0]


def texture(random: Random, cluttered: bool = False) -> Image:
    """A ``(320, 320, 3) uint8`` wall, floor, cloth or room corner that nobody photographed."""
    picture = _PATTERNS[int(random.integers(len(_PATTERNS)))](random)
    if random.random() < 0.3:
        edge = int(random.uniform(0.3, 0.8) * SIDE)
        picture[edge:] = _PATTERNS[int(random.integers(len(_PATTERNS)))](random)[edge:]
    light = 1 + random.uniform(0, 0.5) * (_noise(random, 2, 2)[..., None] - 0.5)
    speckle = random.normal(0, random.uniform(0, 8), (SIDE, SIDE, 1))
    result = (picture * light + speckle).clip(0, 255).astype(np.uint8)
    if cluttered:
        _clutter(result, random)
    if random.random() < 0.3:
        result = np.asarray(cv2.GaussianBlur(result, (0, 0), random.uniform(0.5, 2.5)))
    return result
