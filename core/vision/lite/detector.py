"""Finds garments: one pass of the dense head, and the people finder where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.events import Box
from core.vision.hint import Hint
from core.vision.lite import vocabulary
from core.vision.lite.dense import Boxes, Sighting, area, intersection, sightings
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.seams import PeopleFinder, PersonGarment
from core.vision.lite.views import DETECTOR_SIDE, Letterbox, letterbox, normalised
from core.vision.port import Detection, Image

_ON_PERSON: Final = 0.35
_LEAST_CHANCE: Final = 0.2
_LEAST_PIXELS: Final = 2


@dataclass(frozen=True, slots=True)
class LiteDetection(Detection):
    """A detection with what the lite segmenter needs to name it.

    Attributes:
        chances: probability of each category, in the vocabulary's order; empty where the people
            finder has settled name and mask.
        wanted: the categories the prompt asked for; the item is dropped if its pixels turn out
            to belong to another.
    """

    chances: tuple[float, ...] = ()
    wanted: frozenset[str] = frozenset(vocabulary.CATEGORIES)


class LiteDetector:
    """Six categories of garments on product photos and, with a people finder, on people."""

    def __init__(self, network: LiteNetwork, people: PeopleFinder | None = None) -> None:
        """Share ``network`` with the other two parts of the profile."""
        self._network = network
        self._people = people

    @property
    def version(self) -> str:
        """Weights, threshold, and the people finder's own version."""
        parts = [self._network.version, f"t{self._network.card.thresholds.detect:g}"]
        if self._people is not None:
            parts.append(self._people.version)
        return "+".join(parts)

    def load(self) -> None:
        """Makes network and people finder ready."""
        self._network.load()
        if self._people is not None:
            self._people.load()

    def unsupported(self, prompt: str) -> tuple[str, ...]:
        """Phrases that name none of the six categories."""
        return vocabulary.unsupported(prompt)

    def detect(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Detection]]:
        """The garments of each image, those on people first, then surest first."""
        return [
            self._detect(image, vocabulary.wanted(prompt))
            for image, prompt in zip(images, prompts, strict=True)
        ]

    def _detect(self, image: Image, wanted: frozenset[str]) -> list[Detection]:
        if not wanted or min(image.shape[:2]) < _LEAST_PIXELS:
            return []
        worn = self._people.find(image, self._network) if self._people is not None else []
        found: list[Detection] = [_settled(g, wanted) for g in worn if g.category in wanted]
        bodies = np.array([garment.body for garment in worn], np.float64).reshape(-1, 4)
        square = letterbox(image)
        maps = self._network.detector_maps(normalised(square.picture)[None])[0]
        threshold = self._network.card.thresholds.detect
        for sighting in sightings(maps, DETECTOR_SIDE, threshold):
            box = _on_image(sighting.box, square, image)
            if (intersection(box, bodies) > _ON_PERSON * area(box)).any():
                continue
            detection = _named(sighting, box, square, image, wanted)
            if detection is not None:
                found.append(detection)
        return found


def _on_image(box: Boxes, square: Letterbox, image: Image) -> Boxes:
    """A box of the square in pixels of the image, cut at its edges."""
    height, width = image.shape[:2]
    origin = np.array([square.left, square.top] * 2)
    return np.asarray(((box - origin) / square.scale).clip(0, [width, height] * 2))


def _hint(sighting: Sighting, square: Letterbox, image: Image) -> Hint:
    """What lies on the picture, without the square's grey edges."""
    height, width = image.shape[:2]
    rows, columns = (max(1, round(side * square.scale)) for side in (height, width))
    inner = sighting.likely[square.top : square.top + rows, square.left : square.left + columns]
    return Hint.of(inner, (0, 0, width, height))


def _tuple(box: Boxes) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return x0, y0, x1, y1


def _named(
    sighting: Sighting, box: Boxes, square: Letterbox, image: Image, wanted: frozenset[str]
) -> Detection | None:
    """The sighting under its likeliest wanted category; None where none is likely."""
    asked = [name in wanted for name in vocabulary.CATEGORIES]
    chances = np.where(asked, sighting.chances, 0.0)
    if chances.sum() < _LEAST_CHANCE or area(box) < 1:
        return None
    category = vocabulary.CATEGORIES[int(chances.argmax())]
    return LiteDetection(
        label=category,
        category=category,
        score=sighting.score,
        box=_tuple(box),
        hint=_hint(sighting, square, image),
        chances=tuple(float(chance) for chance in sighting.chances),
        wanted=wanted,
    )


def _settled(garment: PersonGarment, wanted: frozenset[str]) -> Detection:
    return LiteDetection(
        label=garment.label,
        category=garment.category,
        score=garment.score,
        box=garment.box,
        hint=garment.hint,
        wanted=wanted,
    )
