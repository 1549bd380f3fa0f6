"""Stage 3: pictures whose garments are known exactly, because we put them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.train.augment import blend, degraded
from core.vision.lite.train.drawn import draw_garment
from core.vision.lite.views import DETECTOR_SIDE, letterbox, resize
from core.vision.lite.vocabulary import CATEGORIES, CATEGORY_OF, LABELS
from core.vision.port import Image, Mask

Random = np.random.Generator

_SIDE = DETECTOR_SIDE
_LEAST_PIXELS = 60
_MOST_OVERLAP = 0.2
_DRAWN_CHANCE = 0.12
_DRAWN_SCENES = 0.06
_CATEGORY_OF_LABEL = tuple(CATEGORIES.index(CATEGORY_OF[label]) for label in LABELS)


@dataclass(frozen=True, slots=True)
class Cutout:
    """A garment to place: its picture, its mask, the index of its category."""

    image: Image
    mask: Mask
    category: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture with known garments.

    Attributes:
        image: ``(320, 320, 3) uint8`` RGB.
        owner: ``(320, 320) int8``, 0 where no garment is, k for the k-th.
        categories: ``(n,)`` category index of each garment.
        boxes: ``(n, 4) int32`` xyxy of what is visible of each.
    """

    image: Image
    owner: npt.NDArray[np.int8]
    categories: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int32]


def _bounds(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _scene(image: Image, owner: npt.NDArray[np.int8], categories: Sequence[int]) -> Scene:
    """Number what is left visible of each garment."""
    clean = np.zeros_like(owner)
    kept: list[int] = []
    boxes: list[tuple[int, int, int, int]] = []
    for number, category in enumerate(categories, 1):
        visible = owner == number
        if visible.sum() > _LEAST_PIXELS:
            kept.append(category)
            boxes.append(_bounds(visible))
            clean[visible] = len(kept)
    return Scene(image, clean, np.array(kept, np.int64), np.array(boxes, np.int32).reshape(-1, 4))


def drawn_cutout(random: Random) -> Cutout:
    """A drawing as a cutout."""
    garment = draw_garment(random)
    category = CATEGORIES.index(CATEGORY_OF[garment.label])
    return Cutout(garment.image, garment.mask, category)


def _placed(cutout: Cutout, largest: float, random: Random) -> tuple[Image, Mask]:
    """The cutout at a random size, mirrored and turned a little now and then."""
    x0, y0, x1, y1 = _bounds(cutout.mask)
    scale = random.uniform(0.25, largest) * _SIDE / max(x1 - x0, y1 - y0)
    width, height = max(8, int((x1 - x0) * scale)), max(8, int((y1 - y0) * scale))
    image = resize(cutout.image[y0:y1, x0:x1], width, height)
    flat = cutout.mask[y0:y1, x0:x1].astype(np.uint8)
    mask = np.asarray(cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    if random.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    if random.random() < 0.3:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-20, 20), 1)
        turned = cv2.warpAffine(np.ascontiguousarray(image), turn, (width, height))
        image = np.asarray(turned, np.uint8)
        flat = np.ascontiguousarray(mask)
        kept = cv2.warpAffine(flat, turn, (width, height), flags=cv2.INTER_NEAREST)
        mask = np.asarray(kept, np.uint8)
    return image, mask > 0


def _overlaps(box: tuple[int, int, int, int], others: Sequence[tuple[int, int, int, int]]) -> bool:
    def area(b: tuple[int, int, int, int]) -> int:
        return (b[2] - b[0]) * (b[3] - b[1])

    for other in others:
        width = min(box[2], other[2]) - max(box[0], other[0])
        height = min(box[3], other[3]) - max(box[1], other[1])
        common = max(0, width) * max(0, height)
        if common > _MOST_OVERLAP * min(area(box), area(other)):
            return True
    return False


def compose(pool: Sequence[Cutout], ground: Image, random: Random) -> Scene:
    """Two to four garments of the pool on one background, hardly overlapping."""
    picture = ground.copy()
    if random.random() < 0.5:
        picture = picture[:, ::-1].copy()
    owner = np.zeros((_SIDE, _SIDE), np.int8)
    wanted = int(random.integers(2, 5))
    boxes: list[tuple[int, int, int, int]] = []
    categories: list[int] = []
    for _ in range(4 * wanted):
        if len(boxes) >= wanted:
            break
        cutout = pool[int(random.integers(len(pool)))]
        image, mask = _placed(cutout, 0.55 if wanted > 2 else 0.7, random)
        height, width = mask.shape
        x = int(random.integers(0, _SIDE - width + 1))
        y = int(random.integers(0, _SIDE - height + 1))
        box = (x, y, x + width, y + height)
        if not mask.any() or _overlaps(box, boxes):
            continue
        window = np.s_[y : y + height, x : x + width]
        lit = (image * random.uniform(0.85, 1.15)).clip(0, 255).astype(np.uint8)
        picture[window] = blend(picture[window], lit, mask, 0.7)
        boxes.append(box)
        categories.append(cutout.category)
        owner[window][mask] = len(boxes)
    return _scene(picture, owner, categories)


def single(cutout: Cutout) -> Scene:
    """A photo of one garment as it is, letterboxed."""
    box = letterbox(cutout.image)
    height, width = cutout.mask.shape
    small = cv2.resize(
        cutout.mask.astype(np.uint8),
        (max(1, round(width * box.scale)), max(1, round(height * box.scale))),
        interpolation=cv2.INTER_NEAREST,
    )
    owner = np.zeros((_SIDE, _SIDE), np.int8)
    owner[box.top : box.top + small.shape[0], box.left : box.left + small.shape[1]] = small
    return _scene(box.picture, owner, [cutout.category])


def empty(ground: Image) -> Scene:
    """A picture without garments."""
    return _scene(ground, np.zeros((_SIDE, _SIDE), np.int8), [])


def relit(scene: Scene, random: Random, degrade: bool) -> Scene:
    """The same scene in another light, as another camera would store it."""
    image = scene.image
    if random.random() < 0.5:
        shifted = image * random.uniform(0.7, 1.2) + random.uniform(-15, 15, 3)
        image = shifted.clip(0, 255).astype(np.uint8)
    if degrade and random.random() < 0.3:
        image = resize(degraded(image, random), _SIDE, _SIDE)
    return Scene(image, scene.owner, scene.categories, scene.boxes)


def compositions(
    cutouts: Sequence[Cutout], grounds: Sequence[Image], count: int, drawn: bool, random: Random
) -> list[Scene]:
    """Composites in which every category is as frequent as every other."""
    by_category = [[c for c in cutouts if c.category == k] for k in range(len(CATEGORIES))]
    scenes: list[Scene] = []
    for _ in range(count):
        all_drawn = drawn and random.random() < _DRAWN_SCENES
        pool = [
            drawn_cutout(random)
            if all_drawn or (drawn and random.random() < _DRAWN_CHANCE)
            else group[int(random.integers(len(group)))]
            for group in by_category
            for _ in range(2)
        ]
        scenes.append(compose(pool, grounds[int(random.integers(len(grounds)))], random))
    return scenes


def category_of_label(label: int) -> int:
    """The category index of a label index."""
    return _CATEGORY_OF_LABEL[label]
