"""Patterns for the upper body: t-shirt, sweater, shirt."""

from __future__ import annotations

from infra.demo.drawing.fabric import Colour, Fabric
from infra.demo.drawing.garment import Button, Layer, Part, Seam
from infra.demo.drawing.outline import curve, line, mirrored, path
from infra.demo.shop import sewing


def t_shirt(fabric: Fabric, rib: Fabric, *, dip: float = 0.16) -> tuple[Layer, ...]:
    """Short sleeves and a ribbed collar; ``dip`` is the depth of the neckline."""
    cuff = curve((0.95, -0.25), (0.82, -0.14), (0.67, -0.08))
    sleeve = path(
        curve((0.42, -0.76), (0.56, -0.7), (0.76, -0.54), (0.95, -0.25)),
        cuff,
        curve((0.67, -0.08), (0.56, -0.2), (0.42, -0.32)),
    )
    return (
        *sewing.pair(sleeve, fabric, grain=-40),
        *sewing.shifted_seam(cuff, -0.024, -0.036),
        *sewing.collar(rib, dip),
        Part(sewing.body(sewing.crew_neck(dip), width=0.5, hem=0.84), fabric),
        *(Seam(points) for points in sewing.sides(sewing.SHOULDER_SEAM)),
        Seam(curve((-0.46, 0.795), (0.0, 0.81), (0.46, 0.795)), width=0.006),
        *sewing.collar_band(rib, dip),
    )


def sweater(fabric: Fabric, rib: Fabric, arms: Fabric, *, dip: float = 0.12) -> tuple[Layer, ...]:
    """Long sleeves; ribbed collar, cuffs and waist."""
    waist = mirrored(
        line((0.0, 0.62), (0.475, 0.62)),
        curve((0.475, 0.62), (0.455, 0.7), (0.44, 0.78)),
        line((0.44, 0.78), (0.0, 0.79)),
    )
    return (
        *sewing.long_sleeves(arms, 0.31, 0.2),
        *sewing.cuffs(rib, 0.19, 0.14),
        *sewing.collar(rib, dip),
        Part(sewing.body(sewing.crew_neck(dip), width=0.48, hem=0.64, waist=1.0), fabric),
        *(Seam(points) for points in sewing.sides(sewing.SHOULDER_SEAM)),
        Part(waist, rib, puff=0.9),
        *sewing.collar_band(rib, dip, 0.07),
    )


def shirt(fabric: Fabric, buttons: Colour, *, short: bool = False) -> tuple[Layer, ...]:
    """A collar, a row of buttons, a breast pocket, a rounded hem."""
    return (
        *(_short_sleeves(fabric) if short else _buttoned_sleeves(fabric, buttons)),
        sewing.back_neck(fabric),
        Part(sewing.body(sewing.crew_neck(0.16), width=0.5, hem=0.86, tail=0.1), fabric),
        *(Seam(points) for points in sewing.sides(sewing.SHOULDER_SEAM)),
        Part(
            line((-0.045, -0.66), (0.045, -0.66), (0.045, 0.865), (-0.045, 0.865)),
            fabric,
            centre=(0.02, 0.0),
            puff=0.6,
        ),
        *(Button((0.0, -0.54 + 0.19 * k), 0.019, buttons) for k in range(7)),
        *sewing.patch_pocket((0.26, -0.26), 0.21, 0.25, fabric),
        *sewing.collar_leaves(fabric),
    )


def _short_sleeves(fabric: Fabric) -> tuple[Layer, ...]:
    cuff = line((0.96, -0.14), (0.68, 0.01))
    sleeve = path(
        curve((0.42, -0.74), (0.57, -0.7), (0.79, -0.5), (0.96, -0.14)),
        cuff,
        curve((0.68, 0.01), (0.56, -0.16), (0.42, -0.3)),
    )
    return (
        *sewing.pair(sleeve, fabric, grain=-36),
        *sewing.shifted_seam(cuff, -0.03, -0.055),
    )


def _buttoned_sleeves(fabric: Fabric, buttons: Colour) -> tuple[Layer, ...]:
    return (
        *sewing.long_sleeves(fabric, 0.29, 0.19),
        *sewing.cuffs(fabric, 0.2, 0.13),
        *(Button((side * 0.79, 0.62), 0.016, buttons) for side in (-1, 1)),
    )
