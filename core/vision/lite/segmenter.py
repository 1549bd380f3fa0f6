"""Cuts garments out along the picture's edges and gives them their final names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from core.vision.boxes import PixelBox, outline, window
from core.vision.lite.detector import LiteDetection
from core.vision.lite.grabcut import refine
from core.vision.lite.network import LiteNetwork
from core.vision.lite.vocabulary import CATEGORIES, CATEGORY_OF
from core.vision.port import Detection, Image, Instance, Mask

_LEAST_PIXELS: Final = 60
_LEAST_FILL: Final = 0.3
_METHOD: Final = "grabcut1-views2"


class LiteSegmenter:
    """GrabCut for the mask; the crop classifier and the detector together for the name.

    The classifier sees the item both on white and as it lies there: a cut that lost a sleeve
    misleads the one view, a neighbour in the box the other.
    """

    def __init__(self, network: LiteNetwork) -> None:
        """Share ``network`` with the other two parts of the profile."""
        self._network = network
        self._categories = np.array(
            [
                [CATEGORY_OF[label] == category for category in CATEGORIES]
                for label in network.labels
            ],
            np.float32,
        )

    @property
    def version(self) -> str:
        """Weights and method of cutting."""
        return f"{self._network.version}+{_METHOD}"

    def load(self) -> None:
        """Makes the network ready."""
        self._network.load()

    def segment(
        self, images: Sequence[Image], detections: Sequence[Sequence[Detection]]
    ) -> list[list[Instance]]:
        """One list of instances an image.

        What the people finder found keeps its mask and name. Everything else is cut anew and
        named by what the cut shows; left out are cuts that come out empty or ragged, and items
        whose pixels belong to a category nobody asked for.
        """
        return [
            [item for detection in found if (item := self._cut(image, detection)) is not None]
            for image, found in zip(images, detections, strict=True)
        ]

    def _cut(self, image: Image, detection: Detection) -> Instance | None:
        if isinstance(detection, LiteDetection) and not detection.chances:
            return _as_found(detection)
        cut = _outlined(*refine(image, detection.box, detection.hint))
        if cut is None:
            return None
        box, mask = cut
        pixels = np.count_nonzero(mask)
        if pixels < _LEAST_PIXELS or pixels < _LEAST_FILL * mask.size:
            return None
        crop = image[window(box)]
        views: list[tuple[Image, Mask | None]] = [(crop, mask), (crop, None)]
        _, chances = self._network.crop_heads(views)
        label, category, score = self._name(chances.mean(axis=0), detection)
        if isinstance(detection, LiteDetection) and category not in detection.wanted:
            return None
        return _instance(label, category, score, box, mask)

    def _name(
        self, labels: npt.NDArray[np.float32], detection: Detection
    ) -> tuple[str, str, float]:
        """Label, category and the category's probability."""
        chances = labels @ self._categories
        if isinstance(detection, LiteDetection):
            chances = (chances + np.array(detection.chances, np.float32)) / 2
        best = int(chances.argmax())
        label = int((labels * (self._categories[:, best] + 1e-3)).argmax())
        return self._network.labels[label], CATEGORIES[best], float(chances[best])


def _as_found(detection: LiteDetection) -> Instance | None:
    hint = detection.hint
    cut = None if hint is None else _outlined(hint.region, hint.within(hint.region) > 0.5)
    if cut is None:
        return None
    return _instance(detection.label, detection.category, detection.score, *cut)


def _outlined(around: PixelBox, mask: Mask) -> tuple[PixelBox, Mask] | None:
    """The mask cut to its outline, and that in pixels of the image; None for an empty mask."""
    inner = outline(mask)
    if inner is None:
        return None
    left, top, _, _ = around
    x0, y0, x1, y1 = inner
    # A copy, because a view would keep the surroundings in memory.
    return (x0 + left, y0 + top, x1 + left, y1 + top), mask[window(inner)].copy()


def _instance(label: str, category: str, score: float, box: PixelBox, mask: Mask) -> Instance:
    x0, y0, x1, y1 = box
    return Instance(label, category, score, (float(x0), float(y0), float(x1), float(y1)), mask)
