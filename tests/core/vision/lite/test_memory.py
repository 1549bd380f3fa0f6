"""A large frame full of items takes little memory from its detection until it is stored."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from core.vision.hint import Hint
from core.vision.lite.detector import LiteDetector
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.seams import CropHeads, PersonGarment
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.port import Detection, Image, Instance

SIDE, ITEMS = 2048, 30
VIEW, GARMENT, SEEN = 384, 304, 942
"""Pixels of a person's view, of the garment on it, and of the frame that the view shows: garments
of 746 pixels, which together cover the frame four times."""

MOST_BYTES = 40_000_000
ONE_STRETCHED = 4 * SIDE * SIDE
"""Bytes of one hint in pixels of the frame; more than one at a time is not needed."""


class _Crowd:
    """A people finder that sees garments all over, each on a view of its own, as people's are."""

    version = "crowd-1"

    def load(self) -> None:
        return

    def find(self, image: Image, heads: CropHeads) -> list[PersonGarment]:
        return [_garment(number) for number in range(ITEMS)]


def _garment(number: int) -> PersonGarment:
    x, y = 216 * (number % 6), 260 * (number // 6)
    view, margin = np.zeros((VIEW, VIEW), bool), (VIEW - GARMENT) // 2
    view[margin:-margin, margin:-margin] = True
    hint = Hint.of(view, (x, y, x + SEEN, y + SEEN))
    person = (float(x), float(y), float(x + SEEN), float(y + SEEN))
    return PersonGarment(person, hint, "top", "shirt", "topwear", 0.9, person)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_a_frame_full_of_items_holds_less_than_40_mb(network: LiteNetwork) -> None:
    detector, segmenter = LiteDetector(network, _Crowd()), LiteSegmenter(network)
    network.load()
    before, _ = tracemalloc.get_traced_memory()
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)

    detections = detector.detect([image], [""])
    items = segmenter.segment([image], detections)

    held, peak = tracemalloc.get_traced_memory()
    assert len(items[0]) == ITEMS
    assert 3.9 < _covered(items[0]) <= 4
    assert held - before < MOST_BYTES
    assert peak - before < MOST_BYTES + ONE_STRETCHED
    assert _told(image, detections[0], items[0]) == pytest.approx(held - before, rel=0.02)


def _covered(items: list[Instance]) -> float:
    """How many times the items' boxes cover the frame."""
    boxes = np.array([item.box for item in items])
    return float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum()) / SIDE**2


def _told(image: Image, detections: list[Detection], items: list[Instance]) -> int:
    """Bytes of the arrays that frame, detections and items name: nothing else is kept alive."""
    hints = [d.hint.probability.nbytes for d in detections if d.hint is not None]
    masks = [item.mask.nbytes for item in items if item.mask is not None]
    return image.nbytes + sum(hints) + sum(masks)
