"""Pieces that several patterns share: sleeves, cuffs, collars, pockets, seams."""

from __future__ import annotations

from dataclasses import replace

from infra.demo.drawing.fabric import Colour, Fabric
from infra.demo.drawing.garment import Layer, Part, Seam
from infra.demo.drawing.outline import (
    Point,
    Points,
    curve,
    ellipse,
    flipped,
    line,
    mirrored,
    moved,
    path,
    tube,
)

SHOULDER_SEAM = curve((0.5, -0.71), (0.445, -0.52), (0.47, -0.3))
"""Where a right sleeve meets the body."""


def sides(points: Points) -> tuple[Points, Points]:
    """A right-hand line and its mirror image."""
    return points, flipped(points)


def pair(outline: Points, fabric: Fabric, grain: float) -> tuple[Part, Part]:
    """A right-hand part and its mirror image."""
    centre = (float(outline[:, 0].mean()), float(outline[:, 1].mean()))
    return (
        Part(outline, fabric, grain, centre),
        Part(flipped(outline), fabric, -grain, (-centre[0], centre[1])),
    )


def stitches(points: Points, thread: Colour) -> Seam:
    """A row of visible stitches."""
    return Seam(points, thread, width=0.007, dash=0.016)


def body(
    neck: Points, *, width: float, hem: float, tail: float = 0.0, waist: float = 0.95
) -> Points:
    """Front of a top under a right-hand neckline given from the middle outwards.

    ``width`` is half the chest; ``tail`` how much lower the middle of the hem hangs.
    """
    return mirrored(
        neck,
        line((0.5, -0.715)),
        SHOULDER_SEAM,
        curve((0.47, -0.3), (width * waist, 0.14), (width, hem - tail)),
        curve((width, hem - tail), (width * 0.55, hem - tail * 0.2), (0.0, hem + 0.01)),
    )


def crew_neck(dip: float) -> Points:
    """A round neckline; ``dip`` is how deep it hangs below the shoulders."""
    return curve((0.0, -0.83 + dip), (0.11, -0.83 + dip * 0.75), (0.19, -0.84))


def collar(rib: Fabric, dip: float) -> tuple[Layer, ...]:
    """A ribbed collar: the inside of the back, and the band round the front."""
    inside = mirrored(
        curve((0.0, -0.8), (0.1, -0.815), (0.18, -0.87)),
        curve((0.18, -0.87), (0.12, -0.83 + dip), (0.0, -0.82 + dip)),
    )
    return (Part(inside, rib, puff=0.6),)


def collar_band(rib: Fabric, dip: float, depth: float = 0.055) -> tuple[Layer, ...]:
    """The ribbed band that closes a round neckline in front."""
    inner = curve((0.0, -0.83 + dip), (0.11, -0.83 + dip * 0.75), (0.175, -0.88))
    outer = curve((0.225, -0.845), (0.15, -0.8 + dip * 0.85), (0.0, -0.83 + dip + depth))
    return (Part(mirrored(inner, outer), rib, puff=0.8),)


def back_neck(fabric: Fabric) -> Part:
    """The inside of a shirt's back, seen through the open collar."""
    return Part(ellipse((0.0, -0.77), 0.19, 0.13), fabric, grain=90, puff=0.5)


_LEAF = path(
    curve((0.012, -0.68), (0.12, -0.75), (0.165, -0.9)),
    curve((0.165, -0.9), (0.24, -0.86), (0.265, -0.76)),
    line((0.215, -0.57), (0.012, -0.68)),
)


def collar_leaves(fabric: Fabric) -> tuple[Layer, ...]:
    """The two leaves of a turned-down collar."""
    edge = line((0.235, -0.74), (0.2, -0.6), (0.035, -0.685))
    return (
        *pair(_LEAF, fabric, grain=32),
        *(Seam(points, width=0.005) for points in sides(edge)),
    )


def fleece_collar(fleece: Fabric) -> tuple[Part, Part]:
    """A wide, soft collar, as jackets have it."""
    right, left = pair(moved(_LEAF, 0.0, 0.16, 1.25), fleece, grain=32)
    return replace(right, puff=1.6), replace(left, puff=1.6)


def sleeve_line() -> Points:
    """Centre line of a hanging right sleeve, shoulder to wrist."""
    return curve((0.36, -0.67), (0.6, -0.36), (0.75, 0.1), (0.83, 0.58))


def long_sleeves(fabric: Fabric, upper: float, wrist: float) -> tuple[Part, Part]:
    """Both sleeves, ``upper`` and ``wrist`` wide."""
    widths = (upper * 0.72, upper, upper * 0.92, upper * 0.78, wrist)
    return pair(tube(sleeve_line(), widths), fabric, grain=-20)


def cuffs(fabric: Fabric, width: float, depth: float) -> tuple[Part, Part]:
    """Both cuffs, at the wrists."""
    wrist = line((0.825, 0.55), (0.83 + depth * 0.14, 0.55 + depth))
    return pair(tube(wrist, (width, width * 0.94)), fabric, grain=-8)


def patch_pocket(centre: Point, width: float, height: float, fabric: Fabric) -> tuple[Layer, ...]:
    """A pocket sewn on, with a pointed bottom and a hem along its mouth."""
    x, y = centre
    w, h = width / 2, height / 2
    sack = line(
        (x - w, y - h), (x + w, y - h), (x + w, y + h * 0.7), (x, y + h), (x - w, y + h * 0.7)
    )
    mouth = line((x - w, y - h + 0.035), (x + w, y - h + 0.035))
    return (Part(sack, fabric, puff=0.5), Seam(mouth, width=0.006))


def shifted_seam(points: Points, dx: float, dy: float) -> tuple[Seam, Seam]:
    """The row of stitches above a hem, on both sides."""
    right, left = sides(moved(points, dx, dy))
    return Seam(right, width=0.006), Seam(left, width=0.006)
