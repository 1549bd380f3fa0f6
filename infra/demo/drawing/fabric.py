"""Fabrics: what colour a garment has at a point of its cloth.

A fabric is a function of cloth coordinates ``u, v`` (``(h, w) float32``, garment units) that gives
``(h, w, 3) float32`` RGB, 0 to 255. Edges of patterns are soft over a pixel or two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Colour = tuple[int, int, int]
Fabric = Callable[[Field, Field], Field]

_SOFT = 0.004
"""Width of a pattern's edge, garment units."""


def plain(colour: Colour) -> Fabric:
    """One colour with the faint irregularity of woven yarn."""

    def paint(u: Field, v: Field) -> Field:
        return _flat(colour, u) * _yarn(u, v, 0.02)[..., None]

    return paint


def stripes(
    ground: Colour, colour: Colour, period: float, share: float = 0.5, upright: bool = False
) -> Fabric:
    """Stripes across the body, or along it; ``share`` is the part the stripe takes."""

    def paint(u: Field, v: Field) -> Field:
        return (
            _mix(_flat(ground, u), colour, _bar(u if upright else v, period, share))
            * _yarn(u, v, 0.02)[..., None]
        )

    return paint


def dots(ground: Colour, colour: Colour, period: float, radius: float) -> Fabric:
    """Round dots in rows set off by half a period."""

    def paint(u: Field, v: Field) -> Field:
        row = np.floor(v / period)
        x = np.mod(u / period + (np.mod(row, 2)) / 2, 1) - 0.5
        y = np.mod(v / period, 1) - 0.5
        return _mix(_flat(ground, u), colour, _inside(radius - np.hypot(x, y) * period))

    return paint


def plaid(ground: Colour, bands: Sequence[tuple[Colour, float, float]], period: float) -> Fabric:
    """Woven checks; a band is its colour, its place and its width as shares of the period."""

    def paint(u: Field, v: Field) -> Field:
        cloth = _flat(ground, u)
        for colour, place, width in bands:
            for axis in (u, v):
                cloth = _mix(cloth, colour, 0.55 * _bar(axis - place * period, period, width))
        return cloth * _yarn(u, v, 0.03)[..., None]

    return paint


def flowers(
    ground: Colour, petals: Sequence[Colour], heart: Colour, leaf: Colour, period: float
) -> Fabric:
    """Five-petalled flowers and leaves strewn over the cloth, each a little different."""

    def paint(u: Field, v: Field) -> Field:
        cloth = _flat(ground, u)
        for layer, tone in enumerate((leaf, *petals)):
            shift = layer * 0.37
            cell_x, cell_y = np.floor(u / period + shift), np.floor(v / period + 2 * shift)
            chance = [_hash(cell_x, cell_y, layer * 7.0 + k) for k in range(4)]
            x = (np.mod(u / period + shift, 1) - 0.35 - 0.3 * chance[0]) * period
            y = (np.mod(v / period + 2 * shift, 1) - 0.35 - 0.3 * chance[1]) * period
            around = np.arctan2(y, x) + chance[2] * 6.3
            count, size = (2, 0.2) if layer == 0 else (5, 0.26)
            reach = (size + 0.08 * chance[3]) * period * (0.68 + 0.32 * np.cos(count * around))
            distance = np.hypot(x, y)
            cloth = _mix(cloth, tone, _inside(reach - distance))
            if layer:
                cloth = _mix(cloth, heart, _inside(0.075 * period - distance))
        return cloth * _yarn(u, v, 0.015)[..., None]

    return paint


def denim(colour: Colour, fade: float = 0.25) -> Fabric:
    """Twill: slanting threads, and the wash lightens the middle of what it covers."""

    def paint(u: Field, v: Field) -> Field:
        twill = 1 + 0.07 * np.sin((u + v) * 520) * (0.5 + _yarn(u * 2, v, 1.0) / 2)
        worn = fade * np.exp(-((u / 0.13) ** 2)) * (0.7 + 0.3 * np.sin(v * 3 + 1))
        cloth = _flat(colour, u) * (twill * _yarn(u, v, 0.07))[..., None]
        return _mix(cloth, (214, 226, 236), np.asarray(worn, np.float32))

    return paint


def knit(colour: Colour, period: float = 0.035, depth: float = 0.16) -> Fabric:
    """Columns of V-shaped stitches."""

    def paint(u: Field, v: Field) -> Field:
        return _flat(colour, u) * (1 - depth * _stitch(u, v, period))[..., None]

    return paint


def fair_isle(ground: Colour, colours: Sequence[Colour], centre: float) -> Fabric:
    """Knitwear with a band of zigzags and diamonds around ``v = centre``."""

    def paint(u: Field, v: Field) -> Field:
        x = np.abs(np.mod(u, 0.16) - 0.08)
        y = v - centre
        cloth = _flat(ground, u)
        cloth = _mix(cloth, colours[0], _inside(0.135 - np.abs(y)))
        cloth = _mix(cloth, colours[1], _inside(0.055 - np.abs(y) - x * 0.62))
        for side in (-1, 1):
            cloth = _mix(cloth, colours[2], _inside(0.016 - np.abs(side * y - 0.085 + x * 0.5)))
            cloth = _mix(cloth, colours[1], _inside(0.012 - np.abs(side * y - 0.165)))
        return cloth * (1 - 0.15 * _stitch(u, v, 0.035))[..., None]

    return paint


def melange(colour: Colour, depth: float = 0.12) -> Fabric:
    """Yarn of two tones, as in sweatshirts and felt."""

    def paint(u: Field, v: Field) -> Field:
        flecks = _hash(np.floor(u * 300), np.floor(v * 90), 3.0) - 0.5
        return _flat(colour, u) * (1 + depth * flecks)[..., None]

    return paint


def ribbed(colour: Colour, period: float = 0.022, depth: float = 0.3) -> Fabric:
    """Ribs along the cloth: collars, cuffs, beanies."""

    def paint(u: Field, v: Field) -> Field:
        ribs = 1 - depth * (0.5 - 0.5 * np.cos(u * (2 * np.pi / period)))
        return np.asarray(_flat(colour, u) * (ribs * _yarn(u, v, 0.03))[..., None], np.float32)

    return paint


def _flat(colour: Colour, like: Field) -> Field:
    return np.broadcast_to(np.array(colour, np.float32), (*like.shape, 3))


def _mix(cloth: Field, colour: Colour, share: Field) -> Field:
    return cloth + (np.array(colour, np.float32) - cloth) * share[..., None]


def _inside(distance: npt.NDArray[np.floating[Any]]) -> Field:
    """1 where a signed distance (garment units) is positive, 0 outside, soft between."""
    return np.asarray(np.clip(distance / _SOFT + 0.5, 0, 1), np.float32)


def _bar(axis: Field, period: float, share: float) -> Field:
    place = np.abs(np.mod(axis / period, 1) - 0.5) * period
    return _inside(share * period / 2 - place)


def _stitch(u: Field, v: Field, period: float) -> Field:
    x = np.mod(u / period, 1)
    slant = v / period * 1.4 + np.abs(x - 0.5) * 1.6
    valley = 0.5 + 0.5 * np.cos(2 * np.pi * slant)
    return np.asarray(0.6 * valley + 0.4 * np.exp(-(((x - 0.5) / 0.12) ** 2)), np.float32)


def _hash(x: Field, y: Field, seed: float) -> Field:
    """A number from 0 to 1 that looks drawn at random and depends on the cell alone."""
    wave = np.sin(x.astype(np.float64) * 127.1 + y * 311.7 + seed * 74.7) * 43758.5453
    return np.asarray(wave - np.floor(wave), np.float32)


def _yarn(u: Field, v: Field, depth: float) -> Field:
    speck = _hash(np.floor(u * 260), np.floor(v * 260), 1.0) * 2 - 1
    return np.asarray(1 + depth * speck, np.float32)
