"""What the figures are measured on: photos, composites, drawings, pictures without garments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.vision.lite.train.backgrounds import strips, texture
from core.vision.lite.train.composites import Cutout, Scene, compose, compositions, drawn_cutout
from core.vision.lite.train.masks import plausible
from core.vision.lite.train.measure import Sample
from core.vision.lite.train.photos import Album
from core.vision.lite.train.pictures import measured
from core.vision.lite.vocabulary import CATEGORIES, CATEGORY_OF, LABELS
from core.vision.port import Image, Mask

_SEED = 9
_STRIPS = 60
_TEXTURES = 30
_COMPOSITES = 240
_DRAWINGS = 60
_EMPTY_EACH = 11


@dataclass(frozen=True, slots=True)
class TestSet:
    """Seeded, so that every recipe meets the same pictures.

    Attributes:
        queries: photos whose labels count.
        gallery: labelled photos of the training split to search in.
        grounds: backgrounds no training picture used.
        composites: scenes of two to four photographed garments.
        drawings: scenes of two to four drawn garments.
        empties: pictures without garments: strips, textures, photographs.
    """

    queries: Sample
    gallery: Sample
    grounds: Sequence[Image]
    composites: Sequence[Scene]
    drawings: Sequence[Scene]
    empties: Sequence[Image]


def cutouts(album: Album, masks: Sequence[Mask], picks: Sequence[int]) -> list[Cutout]:
    """Photographed garments with believable masks and a sure category."""
    return [
        Cutout(album.images[i], masks[i], CATEGORIES.index(names.pop()))
        for i in picks
        for names in [{CATEGORY_OF[n] for n in np.array(LABELS)[album.photos[i].admitted]}]
        if len(names) == 1 and plausible(masks[i])
    ]


def build(
    album: Album, masks: Sequence[Mask], queries: Sequence[int], gallery: Sequence[int]
) -> TestSet:
    """The test set for photos at ``queries``; backgrounds come from those photos too."""
    random = np.random.default_rng(_SEED)
    borders = strips(album.images, masks, random.permutation(queries), _STRIPS)
    textures = [texture(random, cluttered=k % 3 == 0) for k in range(_TEXTURES)]
    photos = measured()
    grounds = [*borders, *textures, *photos]
    items = cutouts(album, masks, queries)
    drawings = [
        compose(
            [drawn_cutout(random) for _ in range(8)],
            grounds[int(random.integers(len(grounds)))],
            random,
        )
        for _ in range(_DRAWINGS)
    ]
    return TestSet(
        Sample.of(album, masks, queries),
        Sample.of(album, masks, gallery),
        grounds,
        compositions(items, grounds, _COMPOSITES, drawn=False, random=random),
        drawings,
        [*borders[:_EMPTY_EACH], *textures[:_EMPTY_EACH], *photos],
    )
