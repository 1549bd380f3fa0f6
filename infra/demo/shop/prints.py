"""Prints for chests: ink on cloth, centred on x = 0."""

from __future__ import annotations

import numpy as np

from infra.demo.drawing.fabric import Colour
from infra.demo.drawing.garment import Ink
from infra.demo.drawing.outline import Points, curve, ellipse, moved, path


def sunset(sky: Colour, sun: Colour, hills: tuple[Colour, Colour], y: float) -> tuple[Ink, ...]:
    """A round picture: a sun behind two ranges of hills."""
    radius = 0.27
    ring = np.linspace(0, np.pi, 30, dtype=np.float32)
    bowl = np.stack([radius * np.cos(ring), radius * np.sin(ring)], axis=1, dtype=np.float32)
    far = path(
        bowl, curve((-radius, 0.0), (-0.14, -0.12), (0.0, 0.03), (0.15, -0.09), (radius, 0.0))
    )
    near_bowl = bowl[6:-6]
    near = path(
        near_bowl,
        curve(
            (float(near_bowl[-1, 0]), float(near_bowl[-1, 1])),
            (-0.1, 0.06),
            (0.04, 0.14),
            (float(near_bowl[0, 0]), float(near_bowl[0, 1])),
        ),
    )
    return (
        Ink(moved(ellipse((0.0, 0.0), radius, radius), 0.0, y), sky),
        Ink(moved(ellipse((0.05, -0.07), 0.12, 0.12), 0.0, y), sun),
        Ink(moved(far, 0.0, y), hills[0]),
        Ink(moved(near, 0.0, y), hills[1]),
    )


def star(colour: Colour, rim: Colour, y: float, radius: float = 0.25) -> tuple[Ink, ...]:
    """A five-pointed star with a rim."""
    return (
        Ink(moved(_star(radius), 0.0, y), rim),
        Ink(moved(_star(radius * 0.74), 0.0, y), colour),
    )


def _star(radius: float) -> Points:
    corners = np.arange(10)
    reach = np.where(corners % 2 == 0, radius, radius * 0.45)
    angle = corners * np.pi / 5 - np.pi / 2
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1).astype(np.float32)
