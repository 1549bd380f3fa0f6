"""Patterns for legs and skirts: trousers, shorts, skirts, dresses."""

from __future__ import annotations

import numpy as np

from infra.demo.drawing.fabric import Colour, Fabric, Field
from infra.demo.drawing.garment import Button, Layer, Part, Seam
from infra.demo.drawing.outline import Points, band, curve, flipped, line, mirrored, path
from infra.demo.shop import sewing

_WAIST = curve((-0.355, -0.93), (0.0, -0.905), (0.355, -0.93))


def jeans(fabric: Fabric, thread: Colour, metal: Colour) -> tuple[Layer, ...]:
    """Straight legs, curved pockets, contrast stitching."""
    pocket = curve((0.16, -0.83), (0.2, -0.68), (0.37, -0.63))
    fly = curve((0.1, -0.82), (0.1, -0.6), (0.0, -0.47))
    return (
        *_legs(_leg(0.36, 0.44, 0.4, 0.37, 0.03), fabric),
        *(Seam(points, width=0.01) for points in sewing.sides(pocket)),
        *(
            sewing.stitches(points, thread)
            for points in sewing.sides(pocket + np.array([-0.014, 0.016], np.float32))
        ),
        sewing.stitches(fly, thread),
        Seam(line((0.0, -0.82), (0.0, -0.36))),
        *(
            sewing.stitches(points, thread)
            for points in sewing.sides(line((0.05, 0.885), (0.36, 0.885)))
        ),
        *_waistband(fabric),
        sewing.stitches(_WAIST + np.array([0, 0.085], np.float32), thread),
        *(_loop(x, fabric) for x in (-0.24, 0.24)),
        Button((0.0, -0.87), 0.026, metal),
        *(Button((side * 0.185, -0.75), 0.012, metal) for side in (-1, 1)),
    )


def chinos(fabric: Fabric, button: Colour) -> tuple[Layer, ...]:
    """Tapered legs with a crease and slanting pockets."""
    crease = curve((0.23, -0.7), (0.23, 0.1), (0.215, 0.9))
    return (
        *_legs(_leg(0.36, 0.43, 0.37, 0.33, 0.06), fabric),
        *(Seam(points, width=0.012) for points in sewing.sides(line((0.26, -0.83), (0.38, -0.58)))),
        *(Seam(points, width=0.003) for points in sewing.sides(crease)),
        Seam(curve((0.08, -0.82), (0.08, -0.6), (0.0, -0.47)), width=0.006),
        Seam(line((0.0, -0.82), (0.0, -0.36))),
        *_waistband(fabric),
        *(_loop(x, fabric) for x in (-0.26, -0.12, 0.12, 0.26)),
        Button((0.0, -0.868), 0.022, button),
    )


def shorts(fabric: Fabric, waist: Fabric, cord: Colour | None = None) -> tuple[Layer, ...]:
    """Wide legs; a drawstring where ``cord`` has a colour, else flapped pockets."""
    leg = path(
        curve((0.0, -0.6), (0.25, -0.61), (0.47, -0.63)),
        curve((0.47, -0.63), (0.56, -0.2), (0.66, 0.5)),
        curve((0.66, 0.5), (0.4, 0.55), (0.1, 0.54)),
        curve((0.1, 0.54), (0.05, 0.2), (0.0, 0.02)),
    )
    hem = curve((0.65, 0.44), (0.4, 0.49), (0.1, 0.48))
    top = curve((-0.48, -0.66), (0.0, -0.64), (0.48, -0.66))
    layers: tuple[Layer, ...] = (
        *_legs(leg, fabric),
        *(Seam(points, width=0.006) for points in sewing.sides(hem)),
        *(Seam(points, width=0.012) for points in sewing.sides(line((0.36, -0.5), (0.51, -0.22)))),
        Seam(line((0.0, -0.5), (0.0, 0.02))),
        Part(band(top, 0, 0.13), waist, puff=0.8),
    )
    if cord is not None:
        bow = (
            curve((0.0, -0.56), (0.07, -0.42), (0.05, -0.2)),
            curve((0.0, -0.56), (-0.06, -0.4), (-0.08, -0.24)),
        )
        return (*layers, *(Seam(end, cord, width=0.02) for end in bow))
    flap = line((0.36, 0.02), (0.6, 0.02), (0.6, 0.09), (0.48, 0.14), (0.36, 0.09))
    sack = line((0.365, 0.05), (0.6, 0.05), (0.61, 0.36), (0.37, 0.36))
    return (
        *layers,
        *sewing.pair(sack, fabric, grain=0),
        *sewing.pair(flap, fabric, grain=0),
        *(Button((side * 0.48, 0.095), 0.018, (70, 62, 44)) for side in (-1, 1)),
        Button((0.0, -0.595), 0.024, (70, 62, 44)),
    )


def pleated_skirt(fabric: Fabric, waist: Fabric) -> tuple[Layer, ...]:
    """Pleats from a narrow waistband to a swinging hem."""
    fall = mirrored(
        line((0.0, -0.62), (0.36, -0.64)),
        curve((0.36, -0.64), (0.55, -0.1), (0.76, 0.6)),
        curve((0.76, 0.6), (0.4, 0.68), (0.0, 0.7)),
    )
    top = curve((-0.37, -0.68), (0.0, -0.65), (0.37, -0.68))
    rays = [(k - 4.5) / 4.5 for k in range(10)]
    return (
        Part(fall, fabric, relief=_pleats),
        *(Seam(line((x * 0.34, -0.6), (x * 0.7, 0.66)), width=0.008) for x in rays),
        Part(band(top, 0, 0.11), waist, puff=0.8),
    )


def a_line_skirt(fabric: Fabric, buttons: Colour) -> tuple[Layer, ...]:
    """A plain flared skirt, buttoned down the front."""
    fall = mirrored(
        line((0.0, -0.66), (0.35, -0.68)),
        curve((0.35, -0.68), (0.5, -0.3), (0.68, 0.66)),
        curve((0.68, 0.66), (0.35, 0.72), (0.0, 0.73)),
    )
    top = curve((-0.355, -0.72), (0.0, -0.69), (0.355, -0.72))
    return (
        Part(fall, fabric),
        Seam(curve((-0.67, 0.61), (0.0, 0.68), (0.67, 0.61)), width=0.006),
        Part(line((-0.05, -0.62), (0.05, -0.62), (0.05, 0.73), (-0.05, 0.73)), fabric, puff=0.6),
        Part(band(top, 0, 0.12), fabric, puff=0.8),
        *(Button((0.0, -0.63 + 0.2 * k), 0.024, buttons) for k in range(7)),
    )


def dress(fabric: Fabric, trim: Fabric, *, sleeves: bool, flare: float) -> tuple[Layer, ...]:
    """A fitted top over a flared skirt; ``flare`` is half the width of the hem."""
    neck = curve((0.0, -0.7), (0.08, -0.74), (0.15, -0.93))
    top = mirrored(
        neck,
        line((0.15, -0.93), (0.29, -0.9)),
        curve((0.29, -0.9), (0.26, -0.76), (0.31, -0.62)),
        curve((0.31, -0.62), (0.27, -0.42), (0.235, -0.24)),
        line((0.235, -0.24), (0.0, -0.22)),
    )
    fall = mirrored(
        line((0.0, -0.25), (0.23, -0.26)),
        curve((0.23, -0.26), (flare * 0.72, 0.2), (flare, 0.88)),
        curve((flare, 0.88), (flare * 0.55, 0.94), (0.0, 0.95)),
    )
    sleeve = path(
        curve((0.24, -0.91), (0.36, -0.88), (0.49, -0.72), (0.56, -0.54)),
        curve((0.56, -0.54), (0.48, -0.47), (0.39, -0.44)),
        curve((0.39, -0.44), (0.33, -0.52), (0.26, -0.6)),
    )
    back = mirrored(
        curve((0.0, -0.865), (0.08, -0.875), (0.14, -0.915)),
        curve((0.16, -0.8), (0.08, -0.7), (0.0, -0.66)),
    )
    arms: tuple[Layer, ...] = sewing.pair(sleeve, fabric, grain=-36) if sleeves else ()
    return (
        *arms,
        Part(back, fabric, centre=(0.31, 0.17), puff=0.4),
        Part(fall, fabric, relief=_gathers),
        Seam(curve((-flare, 0.84), (0.0, 0.91), (flare, 0.84)), width=0.006),
        Part(top, fabric),
        *(Seam(s, width=0.014) for s in sewing.sides(neck + np.array([0.006, 0.012], np.float32))),
        Part(band(curve((-0.24, -0.285), (0.0, -0.265), (0.24, -0.285)), 0, 0.065), trim, puff=0.7),
    )


def _leg(waist: float, hip: float, knee: float, ankle: float, inner: float) -> Points:
    """The right leg; all are half widths, ``inner`` the place of the inner seam at the ankle."""
    return path(
        line((0.0, -0.88), (waist, -0.9)),
        curve((waist, -0.9), (hip, -0.55), (knee + 0.02, 0.1), (ankle, 0.92)),
        curve((ankle, 0.92), (ankle / 2 + inner / 2, 0.93), (inner, 0.92)),
        curve((inner, 0.92), (inner * 0.5, 0.1), (0.0, -0.37)),
    )


def _legs(leg: Points, fabric: Fabric) -> tuple[Part, Part]:
    """Each leg's cloth starts in its own middle, so that a wash fades both thighs."""
    middle = float(leg[:, 0].max()) * 0.55
    return (
        Part(flipped(leg), fabric, centre=(-middle, 0.0)),
        Part(leg, fabric, centre=(middle, 0.0)),
    )


def _waistband(fabric: Fabric) -> tuple[Layer, ...]:
    return (Part(band(_WAIST, 0, 0.095), fabric, centre=(0.9, 0.0), puff=0.8),)


def _loop(x: float, fabric: Fabric) -> Part:
    outline = line((x - 0.014, -0.935), (x + 0.014, -0.935), (x + 0.014, -0.8), (x - 0.014, -0.8))
    return Part(outline, fabric, centre=(0.9, 0.0), puff=0.5)


def _pleats(u: Field, v: Field) -> Field:
    fan = u / (0.52 + 0.27 * v)
    return np.asarray(0.05 * np.abs(np.mod(fan * 5 + 0.5, 1) - 0.1), np.float32)


def _gathers(u: Field, v: Field) -> Field:
    fan = u / (0.5 + 0.4 * v)
    swing = np.clip((v + 0.25) / 1.1, 0, 1)
    folds = np.sin(fan * 17) + 0.6 * np.sin(fan * 29 + 1)
    return np.asarray(0.028 * folds * swing, np.float32)
