"""Smooth outlines from a few points.

Coordinates are garment units: x to the right, y down, a garment fits into -1 to 1. Every function
takes and gives ``(n, 2) float32`` points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Point = tuple[float, float]

_STEPS = 14


def line(*points: Point) -> Points:
    """Straight from point to point."""
    return np.array(points, np.float32)


def curve(*points: Point) -> Points:
    """A Catmull-Rom spline through all points; ends are not bent."""
    knots = np.array([points[0], *points, points[-1]], np.float32)
    t = np.linspace(0, 1, _STEPS, dtype=np.float32)[:, None]
    pieces = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        piece = (
            2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3
        )
        pieces.append(piece / 2)
    return np.concatenate(pieces).astype(np.float32)


def path(*pieces: Points) -> Points:
    """Pieces one after the other; where two meet there may be a corner."""
    return np.concatenate(pieces)


def flipped(points: Points) -> Points:
    """The mirror image at x = 0, walked the other way round, so that it continues an outline."""
    return points[::-1] * np.array([-1, 1], np.float32)


def mirrored(*right_half: Points) -> Points:
    """A symmetric outline from its right half, given from top to bottom."""
    half = path(*right_half)
    return path(half, flipped(half))


def ellipse(centre: Point, radius_x: float, radius_y: float, tilt: float = 0.0) -> Points:
    """A closed ellipse, ``tilt`` degrees clockwise."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False, dtype=np.float32)
    points = np.stack(
        [radius_x * np.cos(angle), radius_y * np.sin(angle)], axis=1, dtype=np.float32
    )
    return turned(points, tilt) + np.array(centre, np.float32)


def turned(points: Points, degrees: float) -> Points:
    """Turned around the origin, clockwise on the screen."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    return points @ turn


def moved(points: Points, dx: float, dy: float, scale: float = 1.0) -> Points:
    """Scaled, then shifted."""
    return points * np.float32(scale) + np.array([dx, dy], np.float32)


def tube(centres: Points, widths: tuple[float, ...]) -> Points:
    """The outline of a sleeve along a centre line; ``widths`` from start to end, evenly spaced."""
    along = np.gradient(centres, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    place = np.linspace(0, len(widths) - 1, len(centres))
    half = (np.interp(place, np.arange(len(widths)), widths) / 2).astype(np.float32)[:, None]
    return np.concatenate(
        [centres + across * half, (centres - across * half)[::-1]], dtype=np.float32
    )


def band(edge: Points, dx: float, dy: float) -> Points:
    """The strip between an edge and its shifted copy: hems, cuffs, waistbands."""
    return path(edge, moved(edge, dx, dy)[::-1])
