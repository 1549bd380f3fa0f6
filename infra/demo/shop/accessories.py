"""Patterns for head and feet: cap, beanie, sneakers, boots."""

from __future__ import annotations

import numpy as np

from infra.demo.drawing.fabric import Colour, Fabric, plain
from infra.demo.drawing.garment import Button, Ink, Layer, Part, Seam, placed
from infra.demo.drawing.outline import band, curve, ellipse, line, mirrored, moved, path
from infra.demo.shop import sewing


def cap(crown: Fabric, peak: Fabric, thread: Colour, badge: Colour) -> tuple[Layer, ...]:
    """A baseball cap from the front and a little above: panels, a curved peak, a badge."""
    dome = mirrored(
        curve((0.0, -0.62), (0.3, -0.56), (0.54, -0.3), (0.64, 0.2)),
        curve((0.64, 0.2), (0.35, 0.3), (0.0, 0.33)),
    )
    visor = mirrored(
        curve((0.0, 0.12), (0.34, 0.13), (0.63, 0.2)),
        curve((0.63, 0.2), (0.82, 0.42), (0.74, 0.56)),
        curve((0.74, 0.56), (0.4, 0.64), (0.0, 0.7)),
    )
    rows = [
        mirrored(curve((0.0, y), (0.36, y - 0.03), (0.68, y - 0.13))) for y in (0.46, 0.55, 0.64)
    ]
    return (
        Part(dome, crown, puff=2.2),
        *(Seam(s) for s in sewing.sides(curve((0.0, -0.62), (0.24, -0.3), (0.3, 0.2)))),
        *(Button((side * 0.36, -0.24), 0.018, thread) for side in (-1, 1)),
        Ink(ellipse((0.0, -0.12), 0.17, 0.17), badge),
        Ink(mirrored(line((0.0, -0.26), (0.055, -0.13), (0.12, 0.0), (0.0, -0.03))), thread),
        Part(visor, peak, puff=1.4),
        *(sewing.stitches(row[: len(row) // 2], thread) for row in rows),
        *(sewing.stitches(row[len(row) // 2 :], thread) for row in rows),
        Button((0.0, -0.615), 0.04, thread),
    )


def beanie(knit: Fabric, cuff: Fabric, pompom: Fabric) -> tuple[Layer, ...]:
    """A knitted hat: a turned-up cuff and a pompom."""
    dome = mirrored(
        curve((0.0, -0.5), (0.24, -0.45), (0.5, -0.14), (0.58, 0.36)),
        line((0.58, 0.36), (0.0, 0.4)),
    )
    brim = mirrored(
        curve((0.0, 0.24), (0.35, 0.22), (0.62, 0.16)),
        curve((0.62, 0.16), (0.66, 0.34), (0.63, 0.52)),
        curve((0.63, 0.52), (0.35, 0.6), (0.0, 0.62)),
    )
    return (
        Part(ellipse((0.0, -0.63), 0.21, 0.2), pompom, puff=2.0),
        Part(dome, knit, puff=2.0),
        Part(brim, cuff, puff=1.6),
    )


def sneakers(upper: Fabric, sole: Fabric, accent: Fabric, lace: Colour) -> tuple[Layer, ...]:
    """A pair from above, toes down, laced."""
    right = _sneaker(upper, sole, accent, lace)
    return (*placed(right, -0.27, 0.0, flip=True), *placed(right, 0.27, 0.0))


def boots(leather: Fabric, sole: Fabric, elastic: Fabric) -> tuple[Layer, ...]:
    """A pair of ankle boots from the side, one behind the other."""
    boot = _boot(leather, sole, elastic)
    return (
        *placed(boot, 0.14, -0.22),
        *placed(boot, -0.1, 0.24),
    )


def _sneaker(upper: Fabric, sole: Fabric, accent: Fabric, lace: Colour) -> tuple[Layer, ...]:
    """One right shoe around x = 0."""
    rim = path(
        curve((0.0, -0.8), (0.15, -0.75), (0.2, -0.5), (0.18, -0.1), (0.25, 0.4), (0.2, 0.66)),
        curve((0.2, 0.66), (0.11, 0.78), (-0.02, 0.8), (-0.14, 0.74), (-0.2, 0.58)),
        curve(
            (-0.2, 0.58), (-0.22, 0.34), (-0.17, -0.1), (-0.2, -0.5), (-0.15, -0.75), (0.0, -0.8)
        ),
    )
    tongue = path(
        curve((-0.1, -0.42), (0.0, -0.5), (0.1, -0.42)), line((0.085, 0.2), (-0.085, 0.2))
    )
    toe = path(
        curve((0.21, 0.42), (0.03, 0.34), (-0.185, 0.42)),
        curve((-0.185, 0.42), (-0.17, 0.6), (-0.1, 0.7), (0.0, 0.735), (0.12, 0.7), (0.19, 0.58)),
        line((0.19, 0.58), (0.21, 0.42)),
    )
    rows = [-0.3 + 0.11 * k for k in range(5)]
    return (
        Part(rim, sole, puff=1.2),
        Part(moved(rim, 0.0, 0.0, 0.9), upper, puff=1.8),
        Part(ellipse((0.0, -0.5), 0.135, 0.2), plain((44, 42, 46)), puff=0.3),
        Part(toe * np.float32(0.97), accent, puff=1.2),
        Part(ellipse((0.0, -0.72), 0.1, 0.06), accent, puff=0.8),
        Part(tongue, upper, puff=0.9),
        *(Seam(line((-0.105, y), (0.105, y + 0.05)), lace, width=0.03) for y in rows),
        *(Seam(line((0.105, y), (-0.105, y + 0.05)), lace, width=0.03) for y in rows),
    )


def _boot(leather: Fabric, sole: Fabric, elastic: Fabric) -> tuple[Layer, ...]:
    upper = path(
        curve((-0.68, -0.5), (-0.42, -0.47), (-0.14, -0.5)),
        curve((-0.14, -0.5), (-0.13, -0.26), (-0.03, -0.1), (0.2, -0.02), (0.5, 0.06)),
        curve((0.5, 0.06), (0.65, 0.11), (0.73, 0.22), (0.73, 0.34)),
        line((0.73, 0.34), (-0.67, 0.34)),
        curve((-0.67, 0.34), (-0.69, 0.16), (-0.62, -0.1), (-0.68, -0.5)),
    )
    bottom = line((-0.7, 0.3), (0.74, 0.3), (0.73, 0.38), (-0.3, 0.38), (-0.32, 0.46), (-0.7, 0.46))
    gore = path(
        line((-0.5, -0.475), (-0.28, -0.475)),
        curve((-0.28, -0.475), (-0.31, -0.2), (-0.39, -0.06)),
        curve((-0.39, -0.06), (-0.47, -0.2), (-0.5, -0.475)),
    )
    return (
        Part(band(line((-0.66, -0.58), (-0.6, -0.58)), 0.0, 0.14), elastic, puff=0.4),
        Part(upper, leather, puff=2.0),
        Part(gore, elastic, puff=0.6),
        Seam(curve((0.12, -0.04), (0.2, 0.14), (0.18, 0.32)), width=0.008),
        Part(bottom, sole, puff=0.7),
    )
