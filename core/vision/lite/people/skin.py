"""The colour of one person's skin, learned from where it shows.

The face is the surest place; hands, neck and forearms follow, and help out where a picture is
cropped above the chin. Candidates are first held against what human skin can look like at all:
under white light its hue in CIELAB lies in a narrow wedge between red and yellow whatever the
tone (Chardon et al., "Skin colour typology and suntanning pathways", 1991), its chroma is modest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.vision.lite.people.pose import Body, Floats, Joint
from core.vision.port import Image, Mask

_HUE = (12.0, 88.0)  # degrees in the a*b* plane
_CHROMA = (6.0, 60.0)
_LEAST_PIXELS = 40
# Shade moves lightness a lot along a body, hue hardly: spreads of L*, hue (degrees) and log chroma,
# never taken as narrower.
_SPREAD = np.array([18.0, 7.0, 0.28], np.float32)
_TOLERANCE = 1.6  # light varies more over a body than over the places skin is learned from
_ANYONE = (np.array([60.0, 52.0, 3.2], np.float32), np.array([25.0, 10.0, 0.4], np.float32))


_MOUTH = (Joint.MOUTH_LEFT, Joint.MOUTH_RIGHT)
_HANDS = (
    (Joint.LEFT_WRIST, Joint.LEFT_INDEX),
    (Joint.RIGHT_WRIST, Joint.RIGHT_INDEX),
)
_LIMBS = (
    *_HANDS,
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
    (Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    (Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
)


@dataclass(frozen=True, slots=True)
class SkinModel:
    """A Gaussian over lightness, hue and the logarithm of chroma.

    Attributes:
        mean: ``(3,) float32`` L* 0 to 100, hue in degrees, natural logarithm of chroma.
        spread: ``(3,) float32`` standard deviations.
        pixels: how many it was learned from; 0 for anyone's skin.
    """

    mean: Floats
    spread: Floats
    pixels: int

    def likelihood(self, lab: Floats) -> Floats:
        """Of colours ``(..., 3) float32`` CIELAB; 1 at the mean, unnormalised."""
        off = (_shade_hue_chroma(lab) - self.mean) / (_TOLERANCE * self.spread)
        value: Floats = np.exp(-0.5 * np.square(off).sum(axis=-1)).astype(np.float32)
        return value

    def near(self, traits: Floats) -> Mask:
        """Which of ``(n, 3)`` lightness, hue and log chroma lie within two spreads."""
        within: Mask = (np.abs(traits - self.mean) < 2 * self.spread).all(axis=1)
        return within


def _shade_hue_chroma(lab: Floats) -> Floats:
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    chroma = np.log(np.hypot(lab[..., 1], lab[..., 2]) + 1)
    return np.stack([lab[..., 0], hue, chroma], axis=-1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bareness:
    """Where a body looks like skin.

    Attributes:
        face: share of the middle of the face, 0 to 1.
        limbs: how many arms, hands and lower legs do for the most part.
        trunk: share of the trunk; beige cloth looks like skin.
        ground: share of what surrounds the silhouette; so do wooden floors.
    """

    face: float
    limbs: int
    trunk: float
    ground: float


def to_lab(image: Image) -> Floats:
    """``(h, w, 3) uint8`` RGB to CIELAB, float32, L* 0 to 100."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def plausible(lab: Floats) -> Mask:
    """Whether colours ``(..., 3)`` could be anyone's skin."""
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    lit = (lab[..., 0] > 8) & (lab[..., 0] < 96)
    narrow = (hue > _HUE[0]) & (hue < _HUE[1]) & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])
    mask: Mask = narrow & lit
    return mask


def learn(lab: Floats, body: Body) -> SkinModel:
    """The skin of ``body`` in a picture ``(h, w, 3) float32`` CIELAB; anyone's if none shows."""
    own = (body.mask > 0.5) & plausible(lab)
    face, limbs = (_shade_hue_chroma(lab[site & own]) for site in _sites(body))
    if len(face) >= _LEAST_PIXELS:
        first = _fit(face)
        return _fit(np.concatenate([face, limbs[first.near(limbs)]]))
    return _fit(limbs) if len(limbs) >= _LEAST_PIXELS else SkinModel(*_ANYONE, pixels=0)


def bareness(lab: Floats, body: Body) -> Bareness:
    """How much of ``body`` looks like skin, in a picture ``(h, w, 3) float32`` CIELAB."""
    skin, inside = plausible(lab), body.mask > 0.5
    side = max(3, int(0.3 * body.torso)) | 1
    ground = (cv2.dilate(body.mask, np.ones((side, side), np.uint8)) > 0.5) & (body.mask < 0.2)
    limbs = (body.along(start, end, 0.08) for start, end in _LIMBS)
    return Bareness(
        face=_share(skin & inside, _sites(body)[0]),
        limbs=sum(_share(skin & inside, limb) > 0.6 for limb in limbs),
        trunk=_share(skin, body.trunk()),
        ground=_share(skin, ground),
    )


def _share(part: Mask, whole: Mask) -> float:
    return float((part & whole).sum()) / max(1.0, float(whole.sum()))


def _fit(colours: Floats) -> SkinModel:
    """Median and spread, refitted once without what lies far off (lips, brows, a sleeve)."""
    model = SkinModel(np.median(colours, axis=0).astype(np.float32), _ANYONE[1], 0)
    for _ in range(2):
        near = colours[model.near(colours)]
        kept = near if len(near) else colours
        mean = np.median(kept, axis=0).astype(np.float32)
        spread = np.maximum(1.3 * kept.std(axis=0), _SPREAD).astype(np.float32)
        model = SkinModel(mean, spread, len(kept))
    return model


def _sites(body: Body) -> tuple[Mask, Mask]:
    """Where skin most likely shows: the middle of the face; hands and neck."""
    face, neck = np.zeros(body.mask.shape, np.uint8), np.zeros(body.mask.shape, np.uint8)
    if body.sees(Joint.NOSE):
        outline = body.points[[Joint.LEFT_EYE, Joint.RIGHT_EYE, *_MOUTH]]
        cv2.fillConvexPoly(face, cv2.convexHull(outline.astype(np.int32)), 1)
    chin, collar = body.point(*_MOUTH), body.point(Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    ends = [(chin + share * (collar - chin)).astype(int).tolist() for share in (0.3, 0.8)]
    cv2.line(neck, ends[0], ends[1], 1, max(1, int(0.07 * body.torso)))
    limbs = neck > 0
    for wrist, index in _HANDS:
        if body.sees(wrist):
            limbs |= body.along(wrist, index, 0.07)
    return face > 0, limbs
