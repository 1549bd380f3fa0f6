"""Patterns for outerwear: a denim jacket, a quilted jacket."""

from __future__ import annotations

import numpy as np

from infra.demo.drawing.fabric import Colour, Fabric, Field
from infra.demo.drawing.garment import Button, Layer, Part, Seam
from infra.demo.drawing.outline import band, curve, flipped, line, mirrored, path, tube
from infra.demo.shop import sewing

_CHANNEL = 0.19
"""Height of a quilted channel, garment units."""


def denim_jacket(
    fabric: Fabric, fleece: Fabric, thread: Colour, metal: Colour
) -> tuple[Layer, ...]:
    """A trucker jacket with a fleece collar: flapped pockets, slanting seams, metal buttons."""
    placket = line((-0.055, -0.66), (0.055, -0.66), (0.055, 0.71), (-0.055, 0.71))
    return (
        *sewing.long_sleeves(fabric, 0.33, 0.24),
        *sewing.cuffs(fleece, 0.26, 0.12),
        sewing.back_neck(fleece),
        Part(sewing.body(sewing.crew_neck(0.16), width=0.5, hem=0.6), fabric, centre=(0.28, 0)),
        *(part for side in (1, -1) for part in _front(side, fabric, thread, metal)),
        Part(band(line((-0.5, 0.58), (0.5, 0.58)), 0, 0.13), fabric, centre=(0.9, 0), puff=0.8),
        *(sewing.stitches(line((-0.49, y), (0.49, y)), thread) for y in (0.6, 0.69)),
        Part(placket, fabric, centre=(0.9, 0), puff=0.7),
        *(sewing.stitches(line((x, -0.65), (x, 0.7)), thread) for x in (-0.04, 0.04)),
        *(Button((0.0, -0.56 + 0.24 * k), 0.024, metal) for k in range(6)),
        *sewing.fleece_collar(fleece),
    )


def _front(side: int, fabric: Fabric, thread: Colour, metal: Colour) -> tuple[Layer, ...]:
    """Yoke, pocket flap and slanting seams of one half; ``side`` is 1 or -1."""
    flap = line((0.13, -0.31), (0.4, -0.31), (0.4, -0.22), (0.265, -0.16), (0.13, -0.22))
    rows = (
        line((0.06, -0.335), (0.46, -0.335)),
        line((0.15, -0.2), (0.2, 0.57)),
        line((0.38, -0.2), (0.32, 0.57)),
        sewing.SHOULDER_SEAM * np.float32(0.985),
    )
    edge = line((0.145, -0.3), (0.145, -0.228), (0.265, -0.176), (0.385, -0.228), (0.385, -0.3))
    seams = (line((0.055, -0.325), (0.47, -0.325)), sewing.SHOULDER_SEAM)
    turn = (lambda points: points) if side > 0 else flipped
    return (
        *(Seam(turn(points)) for points in seams),
        *(sewing.stitches(turn(points), thread) for points in rows),
        Part(turn(flap), fabric, centre=(0.9, 0), puff=0.7),
        sewing.stitches(turn(edge), thread),
        Button((side * 0.265, -0.2), 0.02, metal),
    )


def puffer(fabric: Fabric, lining: Fabric, zipper: Colour) -> tuple[Layer, ...]:
    """A quilted jacket: a hood, a stand-up collar, filled channels, a zip."""
    arms = tube(sewing.sleeve_line(), (0.28, 0.38, 0.36, 0.32, 0.23))
    stand = mirrored(
        curve((0.0, -0.7), (0.12, -0.73), (0.2, -0.76)),
        curve((0.2, -0.76), (0.225, -0.86), (0.19, -0.97)),
        curve((0.19, -0.97), (0.1, -0.93), (0.0, -0.92)),
    )
    hood = mirrored(
        curve((0.0, -1.02), (0.24, -1.0), (0.38, -0.86), (0.3, -0.68)),
        curve((0.3, -0.68), (0.1, -0.6), (0.0, -0.58)),
    )
    inside = mirrored(
        curve((0.0, -0.98), (0.1, -0.98), (0.18, -0.96)),
        curve((0.18, -0.96), (0.1, -0.9), (0.0, -0.88)),
    )
    front = sewing.body(sewing.crew_neck(0.1), width=0.53, hem=0.74, waist=1.0)
    zip_line = line((0.0, -0.92), (0.0, 0.74))
    return (
        *(
            Part(outline, fabric, grain=grain, relief=_channels)
            for outline, grain in ((arms, -18.0), (flipped(arms), 18.0))
        ),
        *sewing.cuffs(lining, 0.2, 0.08),
        Part(hood, fabric, puff=1.6),
        Part(inside, lining, puff=0.5),
        Part(front, fabric, relief=_channels),
        *(Seam(points, width=0.012) for points in sewing.sides(sewing.SHOULDER_SEAM)),
        Part(stand, fabric, relief=_channels),
        *(
            Seam(points, width=0.016)
            for points in sewing.sides(path(line((0.36, 0.12), (0.29, 0.42))))
        ),
        Part(band(line((-0.028, -0.92), (0.028, -0.92)), 0, 1.66), lining, puff=0.4),
        Seam(zip_line, zipper, width=0.016, dash=0.012),
        Button((0.0, -0.86), 0.02, zipper),
    )


def _channels(u: Field, v: Field) -> Field:
    """Height of filled channels across the body."""
    wave = np.abs(np.sin(np.pi * (v + 0.012 * np.sin(u * 5)) / _CHANNEL))
    return np.asarray(0.055 * np.sqrt(wave), np.float32)
