"""Garments drawn by code: outlines with jittered proportions, filled flat or with a print.

Icons and illustrations look like this; a network that saw only photos misses many of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.port import Image, Mask

Random = np.random.Generator
Outline = list[tuple[float, float]]

SIDE = 256
"""Pixels of the square a garment is drawn in."""


@dataclass(frozen=True, slots=True)
class DrawnGarment:
    """A drawing: ``(256, 256, 3) uint8`` RGB on white, its mask, its label."""

    image: Image
    mask: Mask
    label: str


def _mirrored(half: Outline) -> Outline:
    """Complete the right half of a symmetric outline, given from top to bottom."""
    return half + [(-x, y) for x, y in reversed(half)]


def _torso(random: Random, sleeve: float, width: float, length: float) -> Outline:
    """A top with a sleeve reaching ``sleeve`` along the body; coordinates -1 to 1."""
    neck, shoulder = random.uniform(0.1, 0.2), width
    reach, drop = random.uniform(0.2, 0.34), -0.62 + sleeve
    cuff = random.uniform(0.14, 0.22)
    return _mirrored(
        [
            (0, -0.74 + random.uniform(0, 0.12)),
            (neck, -0.82),
            (shoulder, -0.7),
            (shoulder + reach, drop),
            (shoulder + reach - cuff, drop + random.uniform(0.05, 0.14)),
            (width * random.uniform(0.9, 1.0), -0.34),
            (width * random.uniform(0.88, 1.1), -0.34 + length),
            (0, -0.34 + length + random.uniform(0, 0.05)),
        ]
    )


def _t_shirt(random: Random) -> list[Outline]:
    body = _torso(random, random.uniform(0.22, 0.4), random.uniform(0.36, 0.5), 1.05)
    return [body]


def _longsleeve(random: Random) -> list[Outline]:
    body = _torso(random, random.uniform(0.85, 1.2), random.uniform(0.36, 0.46), 1.05)
    return [body]


def _dress(random: Random) -> list[Outline]:
    waist, hem = random.uniform(0.16, 0.27), random.uniform(0.4, 0.75)
    bust, sleeve = random.uniform(0.22, 0.32), random.random() < 0.5
    half: Outline = [(0, -0.72 + random.uniform(0, 0.1)), (random.uniform(0.08, 0.16), -0.92)]
    half += [(bust, -0.86)]
    if sleeve:
        half += [(bust + 0.2, -0.6), (bust + 0.08, -0.5)]
    half += [(bust, -0.5), (waist, -0.18), (hem, 0.9), (hem / 2, 0.95), (0, 0.96)]
    return [_mirrored(half)]


def _pants(random: Random) -> list[Outline]:
    waist, hip = random.uniform(0.24, 0.34), random.uniform(0.3, 0.42)
    ankle, inner = random.uniform(0.3, 0.5), random.uniform(0.06, 0.2)
    crotch = random.uniform(-0.4, -0.2)
    return [
        _mirrored(
            [
                (0, -0.94),
                (waist, -0.94),
                (hip, -0.6),
                (ankle, 0.94),
                (inner, 0.94),
                (0, crotch),
            ]
        )
    ]


def _shorts(random: Random) -> list[Outline]:
    waist, hem = random.uniform(0.4, 0.55), random.uniform(0.56, 0.8)
    bottom, crotch = random.uniform(0.3, 0.6), random.uniform(-0.1, 0.15)
    return [
        _mirrored(
            [
                (0, -0.6),
                (waist, -0.6),
                (hem, bottom),
                (random.uniform(0.06, 0.14), bottom + 0.04),
                (0, crotch),
            ]
        )
    ]


def _skirt(random: Random) -> list[Outline]:
    waist, hem = random.uniform(0.26, 0.42), random.uniform(0.45, 0.85)
    bottom = random.uniform(0.35, 0.85)
    return [
        _mirrored(
            [
                (0, -0.7),
                (waist, -0.7),
                (hem, bottom),
                (hem / 2, bottom + random.uniform(0.0, 0.1)),
                (0, bottom + random.uniform(0.0, 0.1)),
            ]
        )
    ]


def _hat(random: Random) -> list[Outline]:
    crown, height = random.uniform(0.35, 0.55), random.uniform(0.45, 0.8)
    arc = np.linspace(0, np.pi, 24)
    dome = [(float(crown * np.cos(a)), float(0.25 - height * np.sin(a))) for a in arc]
    if random.random() < 0.5:
        brim = random.uniform(0.75, 1.0)
        rim = [(float(brim * np.cos(a)), float(0.25 + 0.13 * np.sin(a))) for a in 2 * arc]
        return [dome, rim]
    peak: Outline = [(crown * 0.9, 0.1), (0.98, 0.28), (0.9, 0.38), (crown * 0.4, 0.26)]
    return [dome, peak]


def _shoe(random: Random, dx: float, dy: float) -> Outline:
    ankle, heel = random.uniform(-0.5, -0.05), random.uniform(0.0, 0.06)
    points = [
        (-0.8, 0.25 + heel),
        (-0.82, ankle),
        (-0.3, ankle),
        (-0.18, -0.02),
        (0.3, 0.08),
        (0.75, 0.16),
        (0.86, 0.3),
        (0.8, 0.4),
        (-0.8, 0.4),
    ]
    return [(x * 0.95 + dx, y * 0.9 + dy) for x, y in points]


def _shoes(random: Random) -> list[Outline]:
    if random.random() < 0.5:
        return [_shoe(random, 0, 0)]
    gap = random.uniform(0.22, 0.4)
    return [_shoe(random, -0.04, -gap), _shoe(random, 0.04, gap)]


_OUTLINES: dict[str, Callable[[Random], list[Outline]]] = {
    "dress": _dress,
    "hat": _hat,
    "longsleeve": _longsleeve,
    "pants": _pants,
    "shoes": _shoes,
    "shorts": _shorts,
    "skirt": _skirt,
    "t-shirt": _t_shirt,
}

LABELS = tuple(_OUTLINES)
"""What can be drawn so that a viewer agrees on the name."""


def _fill(random: Random) -> npt.NDArray[np.float32]:
    """Flat colour, with stripes, dots or a soft shade now and then."""
    colour = random.uniform(0, 255, 3)
    if random.random() < 0.25:
        colour = random.choice([12.0, 60.0, 128.0, 225.0]) + random.uniform(-8, 8, 3)
    canvas = np.full((SIDE, SIDE, 3), colour, np.float32)
    kind = random.random()
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    if kind < 0.12:
        canvas[(y // int(random.integers(8, 30))) % 2 == 0] = random.uniform(0, 255, 3)
    elif kind < 0.2:
        step = int(random.integers(16, 40))
        dots = (x % step - step / 2) ** 2 + (y % step - step / 2) ** 2 < (step / 4) ** 2
        canvas[dots] = random.uniform(0, 255, 3)
    elif kind < 0.4:
        canvas *= (1 + random.uniform(-0.35, 0.35) * (x / SIDE - 0.5))[..., None]
    return canvas


def draw_garment(random: Random, label: str | None = None) -> DrawnGarment:
    """One garment; of a random kind unless ``label`` names one of ``LABELS``."""
    name = label or LABELS[int(random.integers(len(LABELS)))]
    outlines = _OUTLINES[name](random)
    stretch = random.uniform(0.85, 1.1, 2)
    angle = np.deg2rad(random.normal(0, 8))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.array([random.choice([-1, 1]), 1])
    mask = np.zeros((SIDE, SIDE), np.uint8)
    drawing, edges = _fill(random), np.zeros((SIDE, SIDE), np.uint8)
    second = _fill(random) if len(outlines) > 1 and random.random() < 0.4 else drawing
    for k, outline in enumerate(outlines):
        points = (np.array(outline) * flip * stretch) @ turn.T * SIDE * 0.42 + SIDE / 2
        corners = points.round().astype(np.int32)
        part = np.zeros_like(mask)
        cv2.fillPoly(part, [corners], 1)
        drawing = np.where((part > 0)[..., None], second if k else drawing, drawing)
        mask |= part
        cv2.polylines(edges, [corners], True, 1, int(random.integers(1, 4)), cv2.LINE_8)
    if random.random() < 0.5:
        drawing[edges > 0] = random.choice([0.0, 40.0, 255.0])
        mask |= edges
    inside = mask > 0
    image = np.where(inside[..., None], drawing.clip(0, 255), 255).astype(np.uint8)
    return DrawnGarment(image, inside, name)
