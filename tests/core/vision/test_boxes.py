"""Boxes become whole pixels that always lie in the image."""

from __future__ import annotations

import numpy as np
import pytest

from core.events import Box
from core.vision.boxes import PixelBox, outline, whole_pixels, window

SHAPE = (60, 100, 3)


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((10.9, 20.9, 29.6, 39.4), (10, 20, 30, 39)),
        ((0, 0, 100, 60), (0, 0, 100, 60)),
        ((-5, -7.5, 250, 80), (0, 0, 100, 60)),
        ((10, 20, 10, 20), (10, 20, 11, 21)),
        ((30, 40, 10, 20), (30, 40, 31, 41)),
        ((99.9, 59.9, 100, 60), (99, 59, 100, 60)),
        ((100, 60, 100, 60), (99, 59, 100, 60)),
        ((300, 300, 400, 400), (99, 59, 100, 60)),
        ((-40, -40, -20, -20), (0, 0, 1, 1)),
    ],
)
def test_a_box_is_clamped_to_at_least_one_pixel_of_the_image(box: Box, pixels: PixelBox) -> None:
    assert whole_pixels(box, SHAPE) == pixels


def test_an_outline_is_the_smallest_box_around_what_is_set() -> None:
    mask = np.zeros((60, 100), bool)
    mask[5, 7] = mask[20, 90] = True

    found = outline(mask)

    assert found == (7, 5, 91, 21)
    assert mask[window(found)].sum() == 2
    assert outline(np.zeros((60, 100), bool)) is None
