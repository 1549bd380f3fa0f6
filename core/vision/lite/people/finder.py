"""Garments that people wear: a pose gives the places, colours give the outlines.

Each person is looked at alone, in a view of fixed work size around them: what the pose expects
(:mod:`~core.vision.lite.people.anatomy`) and the colours found there share out the pixels
(:mod:`~core.vision.lite.people.partition`), the shares become pieces of clothing
(:mod:`~core.vision.lite.people.pieces`), and the crop heads name the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from core.events import Box
from core.vision.boxes import PixelBox, outline
from core.vision.hint import Hint
from core.vision.lite.people.anatomy import expectation
from core.vision.lite.people.hem import draw_hem
from core.vision.lite.people.palette import palette
from core.vision.lite.people.partition import partition
from core.vision.lite.people.pieces import Piece, pieces, tidy
from core.vision.lite.people.pose import Body, Floats, PoseModels
from core.vision.lite.people.seams import CropHeads, Part, PersonGarment
from core.vision.lite.people.skin import bareness, learn, to_lab
from core.vision.lite.views import resize
from core.vision.lite.vocabulary import CATEGORY_OF
from core.vision.port import Image, Mask

_WORK_SIDE = 384  # longer side of the work view, pixels
_MARGIN = 0.12  # around the body, of its longer side
_LEAST_TORSO = 0.10  # of the longer side of the image: smaller people are not told apart
_LEAST_FILLED = 0.8  # of the trunk between shoulders and hips must lie in the silhouette
_BEYOND_DOUBT = 0.85  # of detections; clothes without a person stayed below 0.81
_LIKE_SKIN = 0.3  # share of the trunk, or of the ground, that makes skin no proof
_DOUBT = 0.02  # no word is impossible to the crop heads
_CATEGORIES: dict[Part, frozenset[str]] = {
    "top": frozenset({"topwear", "outerwear"}),
    "bottom": frozenset({"bottomwear"}),
    "dress": frozenset({"dress"}),
    "footwear": frozenset({"footwear"}),
}


@dataclass(frozen=True, slots=True)
class _View:
    """A person's surroundings at work size, and the way back to the image."""

    image: Image
    body: Body
    window: PixelBox


class BodyFinder(Protocol):
    """Where people stand; :class:`~core.vision.lite.people.pose.PoseModels` knows."""

    @property
    def version(self) -> str: ...

    def load(self) -> object: ...

    def find(self, image: Image) -> list[Body]: ...

    def guess(self, image: Image) -> Body | None: ...


class BlazePoseFinder:
    """The :class:`~core.vision.lite.people.seams.PeopleFinder` of the lite profile."""

    def __init__(self, poses: BodyFinder | None = None) -> None:
        self._poses = poses or PoseModels()

    @property
    def version(self) -> str:
        """The pose weights and the revision of the rules in this package."""
        return f"people-1-{self._poses.version}"

    def load(self) -> None:
        """Loads the pose models."""
        self._poses.load()

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
    """The garments of one person; ``others`` are the silhouettes of everybody else."""
    view = _view(image, body, others)
    lab = to_lab(view.image)
    skin = learn(lab, view.body)
    colours = palette(view.image, lab)
    expected = expectation(view.body, *view.image.shape[1::-1])
    shares = draw_hem(partition(view.image, colours, expected, skin), view.body)
    covers = tidy(shares, expected, view.body, skin.likelihood(lab))

    def named_dress(mask: Mask) -> float:
        _, probabilities = heads.crop_heads([(view.image, mask)])
        return sum(float(probabilities[0][i]) for i in _columns(heads, "dress"))

    worn = pieces(view.body, covers, colours, named_dress)
    return _named(image, body, view, worn, heads)


def _view(image: Image, body: Body, others: Sequence[Floats]) -> _View:
    """Cut the person out with a margin and scale them to work size; others are not this person."""
    mask = body.mask
    for other in others:
        mask = np.where(other > mask, np.float32(0), mask)
    x0, y0, x1, y1 = _box(outline(mask > 0.3))
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


def _named(
    image: Image, body: Body, view: _View, worn: Sequence[Piece], heads: CropHeads
) -> list[PersonGarment]:
    """Let the crop heads choose each piece's word among those its body part allows."""
    # Masks that are apart in the view are apart in the image: no pixel is over a half in two.
    hints = [Hint.of(piece.mask, view.window) for piece in worn]
    everything: PixelBox = (0, 0, image.shape[1], image.shape[0])
    seen = body.mask > 0.5
    rows, boxes = [], []
    for hint in hints:
        mask = hint.within(everything) > 0.5
        seen |= mask
        boxes.append(outline(mask))
        rows.append(heads.crop_heads([(image, mask)])[1][0])
    whole = _box(outline(seen))
    garments = []
    for piece, hint, row, box in zip(worn, hints, rows, boxes, strict=True):
        weights = {
            heads.labels[i]: (float(row[i]) + _DOUBT) * piece.leanings.get(heads.labels[i], 1.0)
            for i in _columns(heads, piece.part)
        }
        if not weights or box is None:
            continue
        label = max(weights, key=weights.__getitem__)
        sure = weights[label] / sum(weights.values())
        fits = sum(float(row[i]) for i in _columns(heads, piece.part))
        garments.append(
            PersonGarment(
                box=_box(box),
                hint=hint,
                part=piece.part,
                label=label,
                category=CATEGORY_OF[label],
                score=body.presence * (sure + min(1.0, fits)) / 2,
                body=whole,
            )
        )
    return garments


def _columns(heads: CropHeads, part: Part) -> list[int]:
    """The columns of the crop heads' probabilities whose labels can cover a part of the body."""
    return [i for i, label in enumerate(heads.labels) if CATEGORY_OF[label] in _CATEGORIES[part]]


def _box(pixels: PixelBox | None) -> Box:
    """All zero where there is none."""
    x0, y0, x1, y1 = pixels or (0, 0, 0, 0)
    return float(x0), float(y0), float(x1), float(y1)
