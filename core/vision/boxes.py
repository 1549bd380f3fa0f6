"""The one rule by which boxes, crops and masks fit each other to the pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.events import Box

PixelBox = tuple[int, int, int, int]
"""``(x0, y0, x1, y1)`` in whole pixels of the image, ``x1`` and ``y1`` exclusive."""


def whole_pixels(box: Box, shape: tuple[int, ...]) -> PixelBox:
    """The box in whole pixels, inside the image and at least one pixel wide and high.

    Args:
        shape: ``(height, width, ...)`` of the image, an array's ``shape``.
    """
    height, width = shape[:2]
    x0 = min(max(int(box[0]), 0), width - 1)
    y0 = min(max(int(box[1]), 0), height - 1)
    x1 = min(max(round(box[2]), x0 + 1), width)
    y1 = min(max(round(box[3]), y0 + 1), height)
    return x0, y0, x1, y1


def window(box: PixelBox) -> tuple[slice, slice]:
    """What indexes an image's pixels inside a box."""
    x0, y0, x1, y1 = box
    return slice(y0, y1), slice(x0, x1)


def outline(mask: npt.NDArray[np.bool_]) -> PixelBox | None:
    """The smallest box around what is set in ``(h, w)``; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
