"""Cuts garments out along the picture's edges and gives them their final names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from core.events import Box
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
        mask = refine(image, detection.box, detection.hint)
        outline = _outline(mask)
        if outline is None:
            return None
        x0, y0, x1, y1 = outline
        pixels = np.count_nonzero(mask)
        if pixels < _LEAST_PIXELS or pixels < _LEAST_FILL * (x1 - x0) * (y1 - y0):
            return None
        window = np.s_[y0:y1, x0:x1]
        views = [(image[window], mask[window]), (image[window], None)]
        _, chances = self._network.crop_heads(views)
        label, category, score = self._name(chances.mean(axis=0), detection)
        if isinstance(detection, LiteDetection) and category not in detection.wanted:
            return None
        return Instance(label, category, score, _tuple(outline), mask)

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
    mask = detection.hint > 0.5 if detection.hint is not None else np.zeros((1, 1), bool)
    outline = _outline(mask)
    if outline is None:
        return None
    return Instance(detection.label, detection.category, detection.score, _tuple(outline), mask)


def _outline(mask: Mask) -> tuple[int, int, int, int] | None:
    """The mask's bounding box, xyxy, or None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _tuple(outline: tuple[int, int, int, int]) -> Box:
    x0, y0, x1, y1 = outline
    return float(x0), float(y0), float(x1), float(y1)
