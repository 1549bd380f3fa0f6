"""Garments that people wear: a pose gives the places, colours give the outlines.

Each person is looked at alone, in a view of fixed work size around them: what the pose expects
(:mod:`anatomy`) and the colours found there share out the pixels (:mod:`partition`), the shares
become pieces of clothing (:mod:`outfit`), and the crop heads name the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from core.vision.lite import outfit
from core.vision.lite.anatomy import Cover, expectation
from core.vision.lite.hem import draw_hem
from core.vision.lite.outfit import Covers, Leanings
from core.vision.lite.palette import Palette, likeness, palette
from core.vision.lite.partition import partition
from core.vision.lite.pose import Body, Floats, PoseModels
from core.vision.lite.seams import CropHeads, Part, PersonGarment
from core.vision.lite.skin import bareness, learn, to_lab
from core.vision.lite.views import resize
from core.vision.lite.vocabulary import CATEGORY_OF
from core.vision.port import Box, Image, Mask

_WORK_SIDE = 384  # longer side of the work view, pixels
_MARGIN = 0.12  # around the body, of its longer side
_LEAST_TORSO = 0.10  # of the longer side of the image: smaller people are not told apart
_LEAST_FILLED = 0.8  # of the trunk between shoulders and hips must lie in the silhouette
_BEYOND_DOUBT = 0.9  # of detections; clothes without a person stayed below 0.81
_LIKE_SKIN = 0.3  # share of the trunk, or of the ground, that makes skin no proof
_LEAST_PIECE = {Cover.TOP: 0.06, Cover.BOTTOM: 0.06, Cover.SHOES: 0.02}  # torso lengths squared
_LEAST_BLOB = 0.06  # of a piece's largest blob
_LEAST_FIT = 0.2  # mean expectation of a piece in one of its blobs
_SKIN_COLOURED = 0.4  # shoes more like skin than this can't be told from bare feet
_CATEGORIES: dict[Part, frozenset[str]] = {
    "top": frozenset({"topwear", "outerwear"}),
    "bottom": frozenset({"bottomwear"}),
    "dress": frozenset({"dress"}),
    "footwear": frozenset({"footwear"}),
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece of clothing before it has a name; ``mask`` is ``(h, w) bool`` of the image."""

    part: Part
    mask: Mask
    leanings: Leanings


@dataclass(frozen=True, slots=True)
class _View:
    """A person's surroundings at work size, and the way back to the image."""

    image: Image
    body: Body
    window: tuple[int, int, int, int]


class BodyFinder(Protocol):
    """Where people stand; :class:`~core.vision.lite.pose.PoseModels` knows."""

    @property
    def version(self) -> str: ...

    def find(self, image: Image) -> list[Body]: ...

    def guess(self, image: Image) -> Body | None: ...


class BlazePoseFinder:
    """The :class:`~core.vision.lite.seams.PeopleFinder` of the lite profile."""

    def __init__(self, poses: BodyFinder | None = None) -> None:
        self._poses = poses or PoseModels()

    @property
    def version(self) -> str:
        """The pose weights and the revision of the rules in this package."""
        return f"people-1-{self._poses.version}"

    def find(self, image: Image, heads: CropHeads) -> list[PersonGarment]:
        """The garments of all people in ``image``, ``(h, w, 3) uint8`` RGB; often none."""
        bodies = [body for body in self._poses.find(image) if _is_somebody(body, image)]
        if not bodies:
            guess = self._poses.guess(image)
            bodies = [guess] if guess and _is_somebody(guess, image) else []
        garments: list[PersonGarment] = []
        for body in bodies:
            others = [other.mask for other in bodies if other is not body]
            garments += _dress_up(image, body, others, heads)
        return garments


def _is_somebody(body: Body, image: Image) -> bool:
    """Whether a body is a person near enough: no print on a shirt, no shirt lying like one.

    Clothes laid out like a person have a person's pose; what they don't have is skin. A detection
    beyond doubt needs none to show (a picture may have no colours), a guess needs it all the more.
    """
    if body.torso < _LEAST_TORSO * max(image.shape[:2]):
        return False
    trunk = body.trunk()
    if not trunk.any() or float(body.mask[trunk].mean()) < _LEAST_FILLED:
        return False
    if body.detection >= _BEYOND_DOUBT:
        return True
    bare = bareness(to_lab(image), body)
    if not body.detection:
        return bare.limbs >= 2 and max(bare.trunk, bare.ground) < _LIKE_SKIN
    return (bare.face > 0.5 or bare.limbs >= 2) and bare.trunk < 2 * _LIKE_SKIN


def _dress_up(
    image: Image, body: Body, others: Sequence[Floats], heads: CropHeads
) -> list[PersonGarment]:
    view = _view(image, body, others)
    lab = to_lab(view.image)
    skin = learn(lab, view.body)
    colours = palette(view.image, lab)
    expected = expectation(view.body, *view.image.shape[1::-1])
    shares = draw_hem(partition(view.image, colours, expected, skin), view.body)
    covers = _tidy(shares, expected, view.body, skin.likelihood(lab))
    pieces = _pieces(image, view, shares, covers, colours, heads)
    return _named(image, body, pieces, heads)


def _view(image: Image, body: Body, others: Sequence[Floats]) -> _View:
    """Cut the person out with a margin and scale them to work size; others are not this person."""
    mask = body.mask
    for other in others:
        mask = np.where(other > mask, np.float32(0), mask)
    x0, y0, x1, y1 = _bounds(mask > 0.3)
    margin = _MARGIN * max(x1 - x0, y1 - y0)
    height, width = image.shape[:2]
    x0, y0 = int(max(0, x0 - margin)), int(max(0, y0 - margin))
    x1, y1 = int(min(width, x1 + margin)), int(min(height, y1 + margin))
    scale = min(1.0, _WORK_SIDE / max(x1 - x0, y1 - y0))
    size = (max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale)))
    work = replace(
        body,
        points=((body.points - (x0, y0)) * scale).astype(np.float32),
        mask=np.asarray(cv2.resize(mask[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)),
    )
    return _View(resize(image[y0:y1, x0:x1], *size), work, (x0, y0, x1, y1))


def _pieces(
    image: Image,
    view: _View,
    shares: Floats,
    covers: Covers,
    colours: Palette,
    heads: CropHeads,
) -> list[_Piece]:
    """Covers to pieces of clothing, on the whole image."""
    full = _enlarged(shares, covers, view, image.shape[:2])
    legs = outfit.read_legs(view.body, covers)
    has = {c: bool((covers == c).any()) for c in (Cover.TOP, Cover.BOTTOM, Cover.SHOES)}
    pieces: list[_Piece] = []
    if has[Cover.TOP] and has[Cover.BOTTOM]:
        top, bottom = (colours.distribution(covers == c) for c in (Cover.TOP, Cover.BOTTOM))
        both = (full == Cover.TOP) | (full == Cover.BOTTOM)
        named = _probability(heads, image, both, "dress")
        if outfit.is_dress(view.body, covers, likeness(top, bottom), legs, named):
            pieces.append(_Piece("dress", both, {}))
    if not pieces:
        if has[Cover.TOP]:
            leanings = outfit.lean_top(view.body, covers)
            pieces.append(_Piece("top", full == Cover.TOP, leanings))
        if has[Cover.BOTTOM]:
            cut_off = bool((full[-2:] == Cover.BOTTOM).any())
            leanings = outfit.lean_bottom(legs, cut_off)
            pieces.append(_Piece("bottom", full == Cover.BOTTOM, leanings))
    if has[Cover.SHOES]:
        pieces.append(_Piece("footwear", full == Cover.SHOES, {}))
    return pieces


def _tidy(shares: Floats, expected: Floats, body: Body, alike: Floats) -> Covers:
    """``(h, w) uint8`` the strongest cover of each pixel, without crumbs and unlikely pieces.

    A blob of a piece goes where it is small beside the largest, or lies where the pose expects
    something else: a bag in a hand often has the colour of a garment.
    """
    covers: Covers = shares.argmax(axis=0).astype(np.uint8)
    for cover, least in _LEAST_PIECE.items():
        mask = (covers == cover).astype(np.uint8)
        count, blobs = cv2.connectedComponents(mask)
        flat = np.asarray(blobs).ravel()
        areas = np.bincount(flat, minlength=count).astype(np.float64)
        areas[0] = 0
        fitting = np.bincount(flat, expected[cover].ravel(), count) / np.maximum(areas, 1)
        crumbs = (areas < _LEAST_BLOB * areas.max()) | (fitting < _LEAST_FIT)
        covers[(mask > 0) & crumbs[blobs]] = Cover.BACKGROUND
        kept = covers == cover
        too_small = np.count_nonzero(kept) < least * body.torso**2
        barefoot = cover == Cover.SHOES and kept.any() and alike[kept].mean() > _SKIN_COLOURED
        if too_small or barefoot:
            covers[kept] = Cover.SKIN if barefoot else Cover.BACKGROUND
    return covers


def _enlarged(shares: Floats, covers: Covers, view: _View, shape: tuple[int, ...]) -> Covers:
    """Covers on the whole image; edges are drawn where the enlarged shares cross."""
    x0, y0, x1, y1 = view.window
    size = (x1 - x0, y1 - y0)
    best = np.zeros(size[::-1], np.float32)
    inner = np.zeros(size[::-1], np.uint8)
    for cover, share in zip(Cover, shares, strict=True):
        held = np.where(covers == cover, np.maximum(share, 0.3), np.minimum(share, 0.3))
        larger = np.asarray(cv2.resize(held.astype(np.float32), size))
        stronger = larger > best
        best[stronger], inner[stronger] = larger[stronger], cover
    full = np.zeros(shape, np.uint8)
    full[y0:y1, x0:x1] = inner
    return full


def _probability(heads: CropHeads, image: Image, mask: Mask, label: str) -> float:
    _, probabilities = heads.crop_heads([(image, mask)])
    return float(probabilities[0][heads.labels.index(label)])


def _named(
    image: Image, body: Body, pieces: Sequence[_Piece], heads: CropHeads
) -> list[PersonGarment]:
    """Let the crop heads choose each piece's word among those its body part allows."""
    if not pieces:
        return []
    _, probabilities = heads.crop_heads([(image, piece.mask) for piece in pieces])
    outline = body.mask > 0.5
    for piece in pieces:
        outline = outline | piece.mask
    whole = _bounds(outline)
    garments = []
    for piece, row in zip(pieces, probabilities, strict=True):
        weights = {
            label: (float(p) + 0.02) * piece.leanings.get(label, 1.0)
            for label, p in zip(heads.labels, row, strict=True)
            if CATEGORY_OF[label] in _CATEGORIES[piece.part]
        }
        label = max(weights, key=weights.__getitem__)
        sure = weights[label] / sum(weights.values())
        garments.append(
            PersonGarment(
                box=_bounds(piece.mask),
                mask=piece.mask.astype(np.float32),
                part=piece.part,
                label=label,
                category=CATEGORY_OF[label],
                score=float(np.sqrt(body.presence * sure)),
                body=whole,
            )
        )
    return garments


def _bounds(mask: Mask) -> Box:
    """xyxy of what is set, ends exclusive; all zero where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
