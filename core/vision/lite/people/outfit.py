"""What somebody wears, judged from the shares of a body: one dress or two pieces, which piece.

Only what the body shows decides here; the words come later, from the crop heads, which are given
how much each word fits what was seen (:class:`Leanings`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.people.anatomy import Cover
from core.vision.lite.people.pose import Body, Joint
from core.vision.port import Mask

Covers = npt.NDArray[np.uint8]
Leanings = dict[str, float]
"""Fine label to a factor on its probability; a label that is not named keeps factor 1."""

_SAME_COLOUR = 0.55  # Bhattacharyya coefficient of two garments' colours
_COLOUR_WEIGHT, _NAME_WEIGHT = 6.0, 0.7
_MIDRIFF = 0.02  # height of bare skin between top and bottom, in torso lengths
_BARE = 0.5
_THIGH_HIGH = 0.4
_KNEE_HIGH, _ANKLE_HIGH = 1.1, 1.5  # reach of a garment along the legs: hip 0, knee 1, ankle 2

LEAN_JACKET: Leanings = {"outwear": 4.0, "t-shirt": 0.1}
"""For what hangs open over something else."""

LEAN_UNDER_JACKET: Leanings = {"outwear": 0.05}


@dataclass(frozen=True, slots=True)
class Legs:
    """What the legs show.

    Attributes:
        seen: how far down they lie in the picture: hip 0, knee 1, ankle 2.
        bare: share of skin among the visible pixels of the lower legs, 0 to 1; None if out of view.
        reach: how far down the clothes go: hip 0, knee 1, ankle 2.
        hem: whether skin shows below the clothes, so that their end is seen.
        forked: whether something else shows between the two legs, below the crotch.
    """

    seen: float
    bare: float | None
    reach: float
    hem: bool
    forked: bool


def read_legs(body: Body, covers: Covers) -> Legs:
    """Look along both legs of ``covers``, ``(h, w) uint8`` of :class:`Cover`."""
    height, width = covers.shape
    clothes = (covers == Cover.BOTTOM) | (covers == Cover.TOP)
    skin = covers == Cover.SKIN
    steps = np.linspace(0.0, 2.0, 41)
    dressed, bare = np.zeros(len(steps)), np.zeros(len(steps))
    seen = np.zeros(len(steps), bool)
    tracks = []
    for hip, knee, ankle in (
        (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
        (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
    ):
        joints = body.points[[hip, knee, ankle]]
        track = np.stack([np.interp(steps, (0, 1, 2), joints[:, k]) for k in (0, 1)], axis=1)
        tracks.append(track)
        xs, ys = track.astype(int).T
        inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        xs, ys = xs.clip(0, width - 1), ys.clip(0, height - 1)
        seen |= inside
        dressed += inside & clothes[ys, xs]
        bare += inside & skin[ys, xs]
    covered = np.flatnonzero(dressed >= 1)
    reach = float(steps[covered[-1]]) if len(covered) else 0.0
    below = seen & (steps > reach) & (steps < 1.9)
    shins = seen & (steps > 1.15) & (steps < 1.85)
    counted = dressed[shins].sum() + bare[shins].sum()
    return Legs(
        seen=float(steps[seen].max()) if seen.any() else 0.0,
        bare=float(bare[shins].sum() / counted) if counted >= 3 else None,
        reach=reach,
        hem=bool(bare[below].sum() >= 2),
        forked=_forked(tracks, covers, clothes, reach),
    )


def _forked(
    tracks: list[npt.NDArray[np.float64]], covers: Covers, clothes: Mask, reach: float
) -> bool:
    """Whether rays from leg to leg cross something that is not cloth."""
    height, width = covers.shape
    steps = np.linspace(0.0, 2.0, 41)
    open_rays = rays = 0
    for step in np.flatnonzero((steps > 0.45) & (steps < max(0.6, reach - 0.05))):
        left, right = tracks[0][step], tracks[1][step]
        ray = left + np.linspace(0, 1, 24)[:, None] * (right - left)
        xs, ys = ray.astype(int).T
        if xs.min() < 0 or ys.min() < 0 or xs.max() >= width or ys.max() >= height:
            continue
        rays += 1
        open_rays += int(np.count_nonzero(~clothes[ys, xs]) >= 2)
    return rays > 0 and open_rays > 0.3 * rays


def is_long_top(likeness: float, legs: Legs) -> bool:
    """Whether what covers the hips is the end of the top: one colour, and no thigh in view."""
    return likeness > _SAME_COLOUR and legs.seen < _THIGH_HIGH


def is_parted(body: Body, covers: Covers) -> bool:
    """Whether a bare midriff parts top and bottom: rows of skin right across the trunk."""
    corners = body.points[
        [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.LEFT_HIP]
    ]
    centre = corners.mean(axis=0)
    narrow = centre + (corners - centre) * (0.5, 1.2)
    trunk = np.zeros(covers.shape, np.uint8)
    cv2.fillConvexPoly(trunk, cv2.convexHull(narrow.astype(np.int32)), 1)
    above = np.maximum.accumulate(covers == Cover.TOP, axis=0)
    below = np.maximum.accumulate((covers == Cover.BOTTOM)[::-1], axis=0)[::-1]
    between = (covers == Cover.SKIN) & above & below & (trunk > 0)
    across = between.sum(axis=1) > 0.6 * np.maximum(1, trunk.sum(axis=1))
    return int(np.count_nonzero(across)) > _MIDRIFF * body.torso


def is_dress(likeness: float, legs: Legs, named: float) -> bool:
    """Whether top and bottom are one garment: a sum of evidence, each in log odds.

    Args:
        likeness: of the colours of top and bottom, 0 to 1.
        legs: what the legs show.
        named: how surely the crop heads call both together a dress, 0 to 1.
    """
    evidence = _COLOUR_WEIGHT * (likeness - _SAME_COLOUR)
    if legs.forked:
        evidence -= 2.0
    elif legs.hem:
        evidence += 1.0
    if legs.bare is not None:
        evidence += 1.5 if legs.bare > _BARE else -1.0
    elif not legs.hem:
        evidence -= 1.5
    odds = np.log(max(named, 0.02) / max(1 - named, 0.02))
    return evidence + _NAME_WEIGHT * float(odds) > 0


def lean_bottom(legs: Legs, cut_off: bool) -> Leanings:
    """How well pants, shorts and skirt fit what the legs show.

    Args:
        legs: what they show.
        cut_off: whether the garment leaves the picture at the bottom.
    """
    leanings = {"pants": 1.0, "shorts": 1.0, "skirt": 1.0}
    if legs.reach > _ANKLE_HIGH:
        leanings |= {"shorts": 0.02, "skirt": 0.1 if legs.forked else 1.0}
    elif legs.hem and legs.reach < _KNEE_HIGH:
        leanings |= {"pants": 0.05, "skirt": 0.3 if legs.forked else 1.0}
    elif cut_off:
        leanings |= {"shorts": 0.1, "skirt": 0.2 if legs.forked else 1.0}
    return leanings


def lean_top(body: Body, covers: Covers) -> Leanings:
    """How well long and short sleeves fit what the arms show, from below the shoulder on."""
    bare = dressed = 0
    height, width = covers.shape
    for start, end, first, last in (
        (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 0.6, 1.0),
        (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, 0.1, 0.8),
        (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, 0.6, 1.0),
        (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, 0.1, 0.8),
    ):
        if not body.sees(start, end):
            continue
        along = np.linspace(first, last, 12)[:, None]
        points = body.points[start] + along * (body.points[end] - body.points[start])
        xs, ys = points.astype(int).T
        inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
        shown = covers[ys[inside], xs[inside]]
        bare += int(np.count_nonzero(shown == Cover.SKIN))
        dressed += int(np.count_nonzero(shown == Cover.TOP))
    if bare + dressed < 8:
        return {}
    if bare > dressed:
        return {"longsleeve": 0.1, "outwear": 0.1, "shirt": 0.5}
    return {"t-shirt": 0.1}
