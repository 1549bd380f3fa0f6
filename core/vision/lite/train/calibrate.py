"""Similarity thresholds, from how alike views of one garment are and how alike strangers get."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from core.vision.lite.card import Thresholds
from core.vision.lite.train.augment import cropped, jpeg, pasted
from core.vision.lite.train.measure import Figures, Sample, as_served, largest_of, on_whole
from core.vision.lite.views import resize
from core.vision.lite.vocabulary import CATEGORIES, CATEGORY_OF, LABELS
from core.vision.port import Crop, Embedder, Image, Instance, Mask

_CUT_VIEWS = 150
_SAME_ABOVE = 0.95
_WRONG_WITHIN = 0.01
_WRONG_CATALOG = 0.001
_CATEGORY = np.array([CATEGORIES.index(CATEGORY_OF[label]) for label in LABELS])


def _second_view(
    image: Image, mask: Mask, ground: Image, random: np.random.Generator
) -> tuple[Image, Mask]:
    """The garment elsewhere: other background, other light, mirrored now and then, JPEG 60."""
    picture, moved = pasted(image, mask, ground, random)
    if random.random() < 0.5:
        picture, moved = picture[:, ::-1], moved[:, ::-1]
    lit = (picture * random.choice([0.8, 1.2])).clip(0, 255).astype(np.uint8)
    return jpeg(np.ascontiguousarray(lit), 60), np.ascontiguousarray(moved)


def found_again(
    embedder: Embedder, sample: Sample, grounds: Sequence[Image], seed: int
) -> tuple[Figures, npt.NDArray[np.float32]]:
    """How often a garment's second view finds its original among all originals.

    Returns:
        Figures ``again_new_ground`` (masked) and ``again_worn_copy`` (whole photo cropped to 80%,
        at 40% size, JPEG 40), and the ``(n, n) float32`` cosines behind the first: row is the
        second view, column the original.
    """
    random = np.random.default_rng((seed, 7))
    pairs = list(zip(sample.images, sample.masks, strict=True))
    originals = embedder.embed([as_served(*pair) for pair in pairs])
    wholes = embedder.embed([Crop(image, None) for image in sample.images])
    moved = [
        _second_view(image, mask, grounds[int(random.integers(len(grounds)))], random)
        for image, mask in pairs
    ]
    cosines = embedder.embed([as_served(*pair) for pair in moved]) @ originals.T
    worn: list[Crop] = []
    for image in sample.images:
        part = np.ascontiguousarray(cropped(image, random, 0.8))
        height, width = part.shape[:2]
        small = resize(part, max(8, width * 2 // 5), max(8, height * 2 // 5))
        worn.append(Crop(jpeg(small, 40), None))
    copies = embedder.embed(worn) @ wholes.T
    own = np.arange(len(pairs))
    return {
        "again_new_ground": float((cosines.argmax(1) == own).mean()),
        "again_worn_copy": float((copies.argmax(1) == own).mean()),
    }, cosines


def as_cut(
    find: Callable[[Image], list[Instance]],
    embedder: Embedder,
    sample: Sample,
    grounds: Sequence[Image],
    seed: int,
) -> npt.NDArray[np.float32]:
    """Cosines of garments with their second views as the engine itself cuts them out."""
    random = np.random.default_rng((seed, 8))
    same: list[float] = []
    for i in random.permutation(len(sample.images))[:_CUT_VIEWS]:
        image, mask = sample.images[i], sample.masks[i]
        ground = grounds[int(random.integers(len(grounds)))]
        picture, _ = _second_view(image, mask, ground, random)
        largest = largest_of(find(picture))
        if largest is not None:
            views = [as_served(image, mask), as_served(picture, on_whole(largest, picture))]
            vectors = embedder.embed(views)
            same.append(float(vectors[0] @ vectors[1]))
    return np.array(same, np.float32)


def _least(wrong: npt.NDArray[np.float32], share: float) -> float:
    """The cosine that at most ``share`` of the queries' nearest strangers exceed."""
    return float(np.quantile(wrong, 1 - share))


def _rounded(value: float) -> float:
    return round(float(np.clip(np.ceil(value * 100) / 100, 0.5, 0.99)), 2)


def calibrate(
    cosines: npt.NDArray[np.float32],
    same: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    detect: float,
) -> tuple[Thresholds, Figures]:
    """Thresholds from the cosines of ``found_again`` and of ``as_cut``.

    A match keeps 95% of the views of one garment. A duplicate within a category is wrong for at
    most 1% of the queries, across categories too; in the catalog, where a duplicate hides nothing
    but is shown as one, for at most 0.1%.
    """
    strangers = cosines.copy()
    np.fill_diagonal(strangers, -1)
    category = _CATEGORY[targets]
    alike = category[:, None] == category[None]
    within = np.where(alike, strangers, -1).max(1)
    across = np.where(alike, -1, strangers).max(1)
    match = np.floor(float(np.quantile(same, 1 - _SAME_ABOVE)) * 100) / 100
    thresholds = Thresholds(
        detect=detect,
        match=round(match, 2),
        dup_within=_rounded(_least(within, _WRONG_WITHIN)),
        dup_across=_rounded(_least(across, _WRONG_WITHIN)),
        dup_catalog=_rounded(_least(within, _WRONG_CATALOG)),
    )
    nearest = strangers.max(1)
    figures: Figures = {"wrong_above_match": float((nearest > match).mean())}
    for name in ("match", "dup_within", "dup_across", "dup_catalog"):
        figures[f"same_above_{name}"] = float((same > getattr(thresholds, name)).mean())
    return thresholds, figures
