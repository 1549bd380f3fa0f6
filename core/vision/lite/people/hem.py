"""One line between top and bottom.

Colours alone leave islands: a shadow on the jeans that looks like the shirt, a pale waistband.
On an upright body the top ends where the bottom begins, so each column of pixels has one place
where it changes over, and neighbouring columns change over at about the same height. The cheapest
such line is found exactly by dynamic programming over columns; sleeves hang across it and are
left out.
"""

from __future__ import annotations

import numpy as np

from core.vision.lite.people.anatomy import Cover
from core.vision.lite.people.pose import Body, Floats, Joint
from core.vision.port import Mask

_SLOPE = 0.4  # price of a step of one pixel between neighbouring columns, in pixels given wrongly
_JUMP = 15.0  # no step costs more: the panels of an open jacket end where they like
_GAP = 30.0  # a bare midriff is worth this many pixels given wrongly: there the hem lies
_ARM = 0.22  # width of an arm with its sleeve, torso lengths
_UPRIGHT = 0.7  # cosine between the trunk and straight down


def draw_hem(shares: Floats, body: Body) -> Floats:
    """Sort top and bottom along the cheapest line.

    Args:
        shares: ``(6, h, w) float32`` by :class:`~core.vision.lite.people.anatomy.Cover`.
        body: the pose, in pixels of the view.

    Returns:
        Shares of the same shape. Where something else than cloth is strongest, and on a body that
        is not upright, they come back as they are; elsewhere the line decides which of the two has
        what both had together.
    """
    shoulders = body.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = body.point(Joint.LEFT_HIP, Joint.RIGHT_HIP)
    if hips[1] - shoulders[1] < _UPRIGHT * max(1.0, body.torso):
        return shares
    free = ~_sleeves(shares, body)
    top, bottom = (np.where(free, shares[c], 0) for c in (Cover.TOP, Cover.BOTTOM))
    line = _cheapest(_prices(top, bottom) - _GAP * _midriff(shares, body))
    above = np.arange(shares.shape[1])[:, None] < line
    cloth = shares[Cover.TOP] + shares[Cover.BOTTOM]
    moved = free & np.isin(shares.argmax(axis=0), (Cover.TOP, Cover.BOTTOM))
    result = shares.copy()
    result[Cover.TOP] = np.where(moved, cloth * above, shares[Cover.TOP])
    result[Cover.BOTTOM] = np.where(moved, cloth * ~above, shares[Cover.BOTTOM])
    return result


def _sleeves(shares: Floats, body: Body) -> Mask:
    """``(h, w) bool`` the arms that the top covers; a bare one hides no cloth of its own."""
    mask = np.zeros(body.mask.shape, bool)
    for shoulder, elbow, wrist in (
        (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
        (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    ):
        forearm = body.along(elbow, wrist, 0.5 * _ARM)
        if shares[Cover.TOP][forearm].sum() > shares[Cover.SKIN][forearm].sum():
            mask |= body.along(shoulder, elbow, _ARM) | body.along(elbow, wrist, _ARM)
    return mask


def _midriff(shares: Floats, body: Body) -> Floats:
    """``(h + 1, w)`` share of skin about each row of the trunk's lower half."""
    skin = np.where(body.trunk(), shares[Cover.SKIN], 0)
    shoulders = body.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = body.point(Joint.LEFT_HIP, Joint.RIGHT_HIP)
    skin[: max(0, int((shoulders[1] + hips[1]) / 2))] = 0
    return np.pad(skin, ((1, 0), (0, 0))).astype(np.float32)


def _prices(top: Floats, bottom: Floats) -> Floats:
    """``(h + 1, w)`` what it costs to change over just above each row: bottom above, top below."""
    height, width = top.shape
    prices = np.zeros((height + 1, width), np.float32)
    prices[1:] += np.cumsum(bottom, axis=0)
    prices[:-1] += np.cumsum(top[::-1], axis=0)[::-1]
    return prices


def _cheapest(prices: Floats) -> Floats:
    """``(w,)`` the row of the cheapest line in each column (min-sum message passing on a chain)."""
    forward, backward = prices.copy(), prices.copy()
    for column in range(1, prices.shape[1]):
        forward[:, column] += _step(forward[:, column - 1])
    for column in range(prices.shape[1] - 2, -1, -1):
        backward[:, column] += _step(backward[:, column + 1])
    line: Floats = (forward + backward - prices).argmin(axis=0)
    return line


def _step(message: Floats) -> Floats:
    """The cheapest way from any row of the last column to each row of the next."""
    slope = _SLOPE * np.arange(len(message), dtype=np.float32)
    down = np.minimum.accumulate(message - slope) + slope
    up = np.minimum.accumulate((message + slope)[::-1])[::-1] - slope
    cheapest: Floats = np.minimum(np.minimum(down, up), message.min() + _JUMP)
    return cheapest
