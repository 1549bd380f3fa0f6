"""A hint keeps little, and gives back what its detector's map says at any place of the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.vision.boxes import PixelBox, window
from core.vision.hint import Hint

EVERYTHING = (0, 0, 640, 480)


def a_map(height: int = 48, width: int = 64) -> np.ndarray:
    """Zero but for an uneven patch."""
    likely = np.zeros((height, width), np.float32)
    likely[10:30, 20:50] = np.random.default_rng(1).random((20, 30), np.float32)
    return likely


def test_the_part_that_is_kept_stretches_like_the_whole_map() -> None:
    likely = a_map()

    hint = Hint.of(likely, EVERYTHING)

    assert np.array_equal(hint.within(EVERYTHING), cv2.resize(likely, (640, 480)))
    assert hint.probability.nbytes == 20 * 30 * 4
    assert hint.probability.base is None


@pytest.mark.parametrize(
    "box", [(100, 50, 301, 277), (0, 0, 640, 1), (639, 479, 640, 480), (200, 100, 201, 400)]
)
def test_a_pixel_does_not_depend_on_the_box_it_is_asked_for_in(box: PixelBox) -> None:
    hint = Hint.of(a_map(), EVERYTHING)

    assert np.array_equal(hint.within(box), hint.within(EVERYTHING)[window(box)])


def test_beyond_the_region_that_a_detector_looked_at_nothing_is_likely() -> None:
    likely, region = np.ones((10, 10), np.float32), (100, 100, 200, 300)
    hint = Hint.of(likely, region)

    seen = hint.within((150, 250, 260, 350))

    assert seen.shape == (100, 110)
    assert seen[:50, :50].all()
    assert seen.sum() == 50 * 50
    assert not hint.within((0, 0, 100, 100)).any()
    assert hint.within(region).all()


def test_a_detector_without_doubts_needs_a_byte_a_pixel() -> None:
    sure = a_map() > 0.5

    hint = Hint.of(sure, EVERYTHING)

    assert hint.probability.nbytes == hint.probability.size
    assert np.array_equal(
        hint.within(EVERYTHING), Hint.of(sure.astype(np.float32), EVERYTHING).within(EVERYTHING)
    )


def test_an_empty_map_is_an_empty_hint() -> None:
    hint = Hint.of(np.zeros((48, 64), np.float32), EVERYTHING)

    assert hint.probability.size == 0
    assert not hint.within(EVERYTHING).any()
