"""What garments lie on or hang before: floors, bedding, walls.

Each gives a ``(height, width, 3) float32`` RGB picture, 0 to 255, that depends on the random
generator alone. Scale follows the picture's width, so that a larger picture shows the same room.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from infra.demo.drawing.fabric import Colour, Field

Random = np.random.Generator
Surface = Callable[[Random, int, int], Field]


def planks(light: Colour, dark: Colour, boards: int) -> Surface:
    """A wooden floor with that many boards across the height."""

    def paint(random: Random, height: int, width: int) -> Field:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        deep = height / boards
        row = np.minimum(y // deep, boards - 1).astype(np.int64)
        start = random.uniform(0, width * 0.8, boards).astype(np.float32)[row]
        along = (x - start) / (width * 0.62)
        tone = random.uniform(0, 0.5, (boards, 8)).astype(np.float32)
        shade = tone[row, np.floor(along).astype(np.int64) % 8]
        fibre = 0.16 * _noise(random, height, width, boards * 16, 5)
        fibre += 0.07 * _noise(random, height, width, boards * 40, 12)
        wood = _between(light, dark, np.clip(shade + fibre + 0.2, 0, 1))
        gap = np.minimum(np.mod(y, deep), deep - np.mod(y, deep)) / (height * 0.0022)
        butt = np.abs(along - np.round(along)) * width * 0.62 / (height * 0.0018)
        return np.asarray(
            wood * (0.45 + 0.55 * np.clip(np.minimum(gap, butt), 0, 1))[..., None], np.float32
        )

    return paint


def sheet(colour: Colour, creases: float = 1.0) -> Surface:
    """Bedding: a fine weave with soft, long creases."""

    def paint(random: Random, height: int, width: int) -> Field:
        relief = _noise(random, height, width, 3, 4) + 0.5 * _noise(random, height, width, 6, 9)
        slope = cv2.Sobel(relief, cv2.CV_32F, 1, 1, ksize=5)
        slope = slope + 0.2 * cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=5)
        soft = np.tanh(slope / (np.abs(slope).mean() * 3 + 1e-6)) * np.float32(0.07 * creases)
        weave = random.normal(0, 0.012, (height, width)).astype(np.float32)
        return np.asarray(np.array(colour) * (1 + soft + weave)[..., None], np.float32)

    return paint


def tiles(colour: Colour, joint: Colour, across: int, vein: float = 0.06) -> Surface:
    """A tiled floor with that many tiles across the width, faintly veined like stone."""

    def paint(random: Random, height: int, width: int) -> Field:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        side = width / across
        y, x = y + side * 0.37, x + side * 0.21
        tone = random.normal(0, 0.018, (height // int(side) + 3, across + 3)).astype(np.float32)
        base = 1 + tone[(y // side).astype(np.int64), (x // side).astype(np.int64)]
        clouds = _noise(random, height, width, 5, 6) + 0.6 * _noise(random, height, width, 14, 16)
        base -= np.float32(vein) * np.exp(-np.abs(clouds) * 5)
        distance = np.minimum.reduce(
            [np.mod(y, side), side - np.mod(y, side), np.mod(x, side), side - np.mod(x, side)]
        )
        grout = np.clip(1.6 - distance / (width * 0.0022), 0, 1)[..., None]
        stone = np.array(colour, np.float32) * base[..., None]
        return np.asarray(stone + (np.array(joint, np.float32) - stone) * grout, np.float32)

    return paint


def wall(colour: Colour, skirting: Colour | None = None) -> Surface:
    """Painted plaster, darker towards the floor; a skirting board where it has a colour."""

    def paint(random: Random, height: int, width: int) -> Field:
        rough = 0.006 * _noise(random, height, width, 90, 120)
        rough += 0.03 * _noise(random, height, width, 2, 2)
        fall = np.linspace(1.04, 0.9, height, dtype=np.float32)[:, None]
        picture = np.array(colour, np.float32) * (fall + rough)[..., None]
        if skirting is not None:
            edge = int(height * 0.955)
            picture[edge:] = np.array(skirting, np.float32)
            picture[edge : edge + max(height // 160, 1)] *= np.float32(0.6)
        return np.asarray(picture, np.float32)

    return paint


def paper(colour: Colour) -> Surface:
    """A studio's backdrop: one colour, hardly a shade."""

    def paint(random: Random, height: int, width: int) -> Field:
        shade = 1 + 0.006 * _noise(random, height, width, 2, 2)
        return np.asarray(np.array(colour) * shade[..., None], np.float32)

    return paint


def wool(colour: Colour, other: Colour) -> Surface:
    """A blanket or carpet of two-toned yarn."""

    def paint(random: Random, height: int, width: int) -> Field:
        flecks = 0.5 + 0.24 * _noise(random, height, width, height // 5, width // 4)
        flecks += 0.12 * _noise(random, height, width, 5, 6)
        return _between(colour, other, np.clip(flecks, 0, 1))

    return paint


def _noise(random: Random, height: int, width: int, rows: int, columns: int) -> Field:
    coarse = random.normal(0, 1, (rows + 1, columns + 1)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def _between(first: Colour, second: Colour, share: Field) -> Field:
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return np.asarray(start + (end - start) * share[..., None], np.float32)
