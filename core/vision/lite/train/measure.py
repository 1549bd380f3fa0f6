"""Quality in figures, over the code that serves; needs no torch.

Shares are 0 to 1. Truth for masks of photos is GrabCut's own border cut, for composites and
drawings it is exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from core.vision.boxes import whole_pixels, window
from core.vision.lite.dense import iou
from core.vision.lite.detector import LiteDetector
from core.vision.lite.network import LiteNetwork
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.lite.train.composites import Scene
from core.vision.lite.train.masks import plausible
from core.vision.lite.train.photos import Album
from core.vision.lite.vocabulary import CATEGORIES, CATEGORY_OF, LABELS
from core.vision.port import Crop, Embedder, Image, Instance, Mask

Figures = dict[str, float]
Targets = npt.NDArray[np.int64]

_CATEGORY = np.array([CATEGORIES.index(CATEGORY_OF[label]) for label in LABELS])
_HIT = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """Photos with masks and label indices."""

    images: Sequence[Image]
    masks: Sequence[Mask]
    targets: Targets

    @staticmethod
    def of(album: Album, masks: Sequence[Mask], picks: Sequence[int]) -> Sample:
        """The picked photos whose label is one of the vocabulary's."""
        known = [i for i in picks if album.photos[i].label in LABELS]
        return Sample(
            [album.images[i] for i in known],
            [masks[i] for i in known],
            np.array([LABELS.index(album.photos[i].label) for i in known]),
        )


def classification(network: LiteNetwork, sample: Sample) -> Figures:
    """Share of photos named right, whole and masked: ten labels, and six categories."""
    membership = _CATEGORY[:, None] == np.arange(len(CATEGORIES))
    views: dict[str, list[tuple[Image, Mask | None]]] = {
        "whole": [(image, None) for image in sample.images],
        "masked": list(zip(sample.images, sample.masks, strict=True)),
    }
    figures: Figures = {}
    for name, crops in views.items():
        _, chances = network.crop_heads(crops)
        right = chances.argmax(1) == sample.targets
        right_category = (chances @ membership).argmax(1) == _CATEGORY[sample.targets]
        figures[f"accuracy_10_{name}"] = float(right.mean())
        figures[f"accuracy_6_{name}"] = float(right_category.mean())
    return figures


def as_served(image: Image, mask: Mask) -> Crop:
    """What the engine hands to an embedder: the mask's box, and the mask inside it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Crop(image, mask)
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Crop(image[window], mask[window])


def _crops(sample: Sample) -> Iterator[tuple[str, list[Crop]]]:
    """A sample as an embedder may meet it, by the name of the figures."""
    cut = [as_served(*pair) for pair in zip(sample.images, sample.masks, strict=True)]
    yield "whole", [Crop(image, None) for image in sample.images]
    yield "masked", cut
    yield "unmasked", [Crop(crop.image, None) for crop in cut]


def retrieval(embedder: Embedder, queries: Sample, gallery: Sample) -> Figures:
    """Share of queries whose nearest gallery photo has the same label, and category.

    ``whole`` are the photos as they are, ``masked`` and ``unmasked`` the garments as the engine
    cuts them with masking on and off.
    """
    figures: Figures = {}
    for (name, asked), (_, there) in zip(_crops(queries), _crops(gallery), strict=True):
        similar = embedder.embed(asked) @ embedder.embed(there).T
        nearest = gallery.targets[similar.argmax(1)]
        figures[f"p1_10_{name}"] = float((nearest == queries.targets).mean())
        same = _CATEGORY[nearest] == _CATEGORY[queries.targets]
        figures[f"p1_6_{name}"] = float(same.mean())
    return figures


@dataclass(frozen=True, slots=True)
class Finder:
    """Detector and segmenter as one function from a picture to its items."""

    detector: LiteDetector
    segmenter: LiteSegmenter

    def __call__(self, image: Image) -> list[Instance]:
        detections = self.detector.detect([image], [""])
        return self.segmenter.segment([image], detections)[0]

    def coarse(self, image: Image) -> list[Instance]:
        """The detector alone, its hints as masks."""
        return [
            Instance(d.label, d.category, d.score, d.box, d.hint.within(box) > 0.5)
            for d in self.detector.detect([image], [""])[0]
            if d.hint is not None
            for box in [whole_pixels(d.box, image.shape)]
        ]


def on_whole(item: Instance, image: Image) -> Mask:
    """The item's mask as ``(h, w) bool`` of the whole image; empty where it has none."""
    whole = np.zeros(image.shape[:2], bool)
    if item.mask is not None:
        whole[window(whole_pixels(item.box, image.shape))] = item.mask
    return whole


def largest_of(items: Sequence[Instance]) -> Instance | None:
    """The item of most pixels."""
    return max(
        items, key=lambda item: 0 if item.mask is None else int(item.mask.sum()), default=None
    )


def _mask_iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def singles(find: Callable[[Image], list[Instance]], sample: Sample) -> Figures:
    """Photos of one garment: exactly one found, its category, its mask."""
    counts: list[int] = []
    right: list[bool] = []
    overlaps: list[float] = []
    for image, mask, target in zip(sample.images, sample.masks, sample.targets, strict=True):
        if not plausible(mask):
            continue
        items = find(image)
        counts.append(len(items))
        largest = largest_of(items)
        right.append(largest is not None and largest.category == CATEGORIES[_CATEGORY[target]])
        if largest is not None:
            overlaps.append(_mask_iou(on_whole(largest, image), mask))
    return {
        "single_photos": float(len(counts)),
        "single_exactly_one": float(np.mean(np.array(counts) == 1)),
        "single_category": float(np.mean(right)),
        "single_mask_iou": float(np.mean(overlaps)),
    }


def scenes(find: Callable[[Image], list[Instance]], given: Sequence[Scene], name: str) -> Figures:
    """Recall and precision at box IoU 0.5, and the quality of what was matched.

    A found item answers at most one garment, the one it overlaps most.
    """
    recalled: list[bool] = []
    boxes: list[float] = []
    masks: list[float] = []
    named: list[bool] = []
    false = 0
    for scene in given:
        items = find(scene.image)
        told = np.array([item.box for item in items], np.float64).reshape(-1, 4)
        overlap = iou(scene.boxes[:, None].astype(np.float64), told[None])
        used: set[int] = set()
        for k in np.argsort(-overlap.max(1, initial=0.0), kind="stable"):
            free = [j for j in range(len(items)) if j not in used]
            best = max(free, key=lambda j: float(overlap[k, j]), default=None)
            value = float(overlap[k, best]) if best is not None else 0.0
            recalled.append(value >= _HIT)
            boxes.append(value)
            if best is not None and value >= _HIT:
                used.add(best)
                found = on_whole(items[best], scene.image)
                masks.append(_mask_iou(found, scene.owner == k + 1))
                named.append(items[best].category == CATEGORIES[scene.categories[k]])
        false += len(items) - len(used)
    hits = sum(recalled)
    return {
        f"{name}_recall": hits / max(1, len(recalled)),
        f"{name}_precision": hits / max(1, hits + false),
        f"{name}_box_iou": float(np.mean(boxes)),
        f"{name}_mask_iou": float(np.mean(masks)) if masks else 0.0,
        f"{name}_category": float(np.mean(named)) if named else 0.0,
    }


def false_items(find: Callable[[Image], list[Instance]], pictures: Sequence[Image]) -> float:
    """Items found a picture, where there are none."""
    return float(np.mean([len(find(picture)) for picture in pictures]))


def speed(
    network: LiteNetwork, embedder: Embedder, find: Finder, photos: Sequence[Image]
) -> Figures:
    """Milliseconds of a detector pass, a look at a crop, a vector, a photo found and cut out.

    The least of many rounds counts: whatever else a machine does only adds to it.
    """

    def least(work: Callable[[], object], rounds: int) -> float:
        times: list[float] = []
        for _ in range(rounds):
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1e3)
        return min(times)

    square = np.zeros((1, 3, 320, 320), np.float32)
    crop = np.zeros((224, 224, 3), np.uint8)
    masked = Crop(crop, np.ones((224, 224), bool))
    whole = [least(partial(find, photo), 4) for photo in photos[:10]]
    return {
        "ms_detector_pass": least(lambda: network.detector_maps(square), 40),
        "ms_crop": least(lambda: network.crop_heads([(crop, None)]), 60),
        "ms_vector": least(lambda: embedder.embed([masked]), 60),
        "ms_photo": float(np.median(whole)),
    }
