"""An open jacket and what is worn under it.

Seen from the front, an open jacket leaves a strip down the middle of the trunk whose colours
differ from both sides, while the two sides are alike. A print differs too, but not from collar to
hem, and the cloth around it is that of the sides.
"""

from __future__ import annotations

import cv2
import numpy as np

from core.vision.lite.people.palette import Palette, likeness
from core.vision.lite.people.pose import Body, Floats, Joint
from core.vision.port import Mask

_INNER, _OUTER = 0.22, 0.5  # half-widths of strip and sides, in half shoulder widths
_DIFFERENT, _ALIKE = 0.35, 0.6  # Bhattacharyya coefficients
_ROWS = 0.6  # of the strip's rows must differ from the sides
_LEAST_WIDTH = 0.25  # of the trunk's width between the shoulders: turned away, nothing is told
_SMOOTH = 0.05  # of the torso: no part of a layer is thinner


def under_open_front(top: Mask, body: Body, colours: Palette) -> Mask | None:
    """What shows between the sides of an open jacket.

    Args:
        top: ``(h, w) bool`` everything worn on the upper body.
        body: the pose, in the same pixels.
        colours: the view's palette.

    Returns:
        ``(h, w) bool`` the part of ``top`` that is the inner garment; None if there is one layer.
    """
    down, across = _trunk_coordinates(body, top.shape)
    if across is None:
        return None
    trunk = top & (down > 0.1) & (down < 0.9)
    strip = trunk & (np.abs(across) < _INNER)
    left, right = trunk & (across < -_OUTER), trunk & (across > _OUTER)
    if min(np.count_nonzero(m) for m in (strip, left, right)) < 30:
        return None
    inner, west, east = (colours.distribution(m) for m in (strip, left, right))
    outer = (west + east) * np.float32(0.5)
    if likeness(west, east) < _ALIKE or likeness(inner, outer) > _DIFFERENT:
        return None
    leaning = _spread(np.log(inner + 1e-3) - np.log(outer + 1e-3), colours, body)
    beneath = top & (leaning > 0) & (np.abs(across) < 1)
    rows = strip.any(axis=1)
    differing = (beneath & strip).sum(axis=1) > 0.5 * strip.sum(axis=1)
    if np.count_nonzero(differing & rows) < _ROWS * np.count_nonzero(rows):
        return None
    return _largest(beneath)


def _trunk_coordinates(body: Body, shape: tuple[int, ...]) -> tuple[Floats, Floats | None]:
    """Per pixel: 0 at the shoulders to 1 at the hips; -1 to 1 from shoulder to shoulder."""
    shoulders = body.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    axis = body.point(Joint.LEFT_HIP, Joint.RIGHT_HIP) - shoulders
    length = max(1.0, float(np.linalg.norm(axis)))
    axis = axis / length
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    off = np.stack([xs, ys], axis=-1) - shoulders
    down: Floats = (off @ axis / length).astype(np.float32)
    sideways = np.array([-axis[1], axis[0]], np.float32)
    span = body.points[Joint.LEFT_SHOULDER] - body.points[Joint.RIGHT_SHOULDER]
    half = abs(float(span @ sideways)) / 2
    if half < _LEAST_WIDTH * length:
        return down, None
    across: Floats = (off @ sideways / half).astype(np.float32)
    return down, across


def _spread(of_colour: Floats, colours: Palette, body: Body) -> Floats:
    """A colour's leaning at each pixel, smoothed over a fold's width."""
    side = max(3, int(_SMOOTH * body.torso)) | 1
    return np.asarray(cv2.blur(of_colour[colours.index].astype(np.float32), (side, side)))


def _largest(mask: Mask) -> Mask:
    _, blobs, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if len(stats) < 2:
        return mask
    largest: Mask = blobs == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return largest
