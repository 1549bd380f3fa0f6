"""Masks to the pixel: GrabCut (Rother, Kolmogorov, Blake, SIGGRAPH 2004) seeded by a hint."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from core.events import Box
from core.vision.boxes import PixelBox, window
from core.vision.hint import Hint
from core.vision.lite.views import resize
from core.vision.port import Image, Mask

_SIDE: Final = 256
_PAD: Final = 0.12
_ROUNDS: Final = 2
_SLACK: Final = 0.01
_RECTANGLE_PAD: Final = 0.2
_SURE: Final = 0.9
_LIKELY: Final = 0.5
_POSSIBLE: Final = 0.15
_LEAST_SHARE: Final = 0.5
_MOST_SHARE: Final = 1.6
_LEAST_SIDE: Final = 8


def cut(picture: Image, seeds: npt.NDArray[np.uint8], rounds: int) -> npt.NDArray[np.uint8] | None:
    """Run GrabCut from a seed mask of ``cv2.GC_*`` values.

    OpenCV's random numbers are drawn from a state of the thread; it is set before each cut, so
    that a cut depends on its picture alone and not on what the thread cut before.

    Returns:
        ``(h, w) uint8``, 1 where the item is; None where the seeds leave nothing to decide.
    """
    inside = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
    if not inside.any() or inside.all():
        return None
    labels = seeds.copy()
    whole, background, foreground = (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    try:
        cv2.grabCut(
            np.ascontiguousarray(picture),
            labels,
            whole,  # not looked at, as the seeds say it all
            background,
            foreground,
            rounds,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:
        return None  # too few or too uniform samples for a colour model
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), np.uint8)


def _surroundings(box: Box, pad: float, width: int, height: int) -> PixelBox:
    x0, y0, x1, y1 = box
    margin = pad * max(x1 - x0, y1 - y0)
    return (
        int(max(0, x0 - margin)),
        int(max(0, y0 - margin)),
        int(min(width, np.ceil(x1 + margin))),
        int(min(height, np.ceil(y1 + margin))),
    )


def _rectangle(
    shape: tuple[int, int], box: Box, around: PixelBox, scale: float, slack: float
) -> Mask:
    """The box, a little grown, on its scaled surroundings."""
    inside = np.zeros(shape, bool)
    x0, y0, x1, y1 = (
        (edge - origin) * scale for edge, origin in zip(box, around[:2] * 2, strict=True)
    )
    inside[
        int(max(0, y0 - slack)) : int(y1 + slack) + 1, int(max(0, x0 - slack)) : int(x1 + slack) + 1
    ] = True
    return inside


def refine(image: Image, box: Box, hint: Hint | None) -> tuple[PixelBox, Mask]:
    """Cut the item in ``box`` out along the picture's edges.

    Args:
        image: ``(h, w, 3) uint8`` RGB.
        box: xyxy pixels.
        hint: None where the box is all there is.

    Returns:
        The box's surroundings, and the mask in them, ``(h, w) bool``; beyond them nothing belongs
        to the item. Where a cut goes wrong (much smaller or larger than the hint), the hint
        itself, thresholded.
    """
    height, width = image.shape[:2]
    around = _surroundings(box, _PAD if hint is not None else _RECTANGLE_PAD, width, height)
    x0, y0, x1, y1 = around
    if x1 - x0 < 2 or y1 - y0 < 2:
        return around, np.zeros((max(0, y1 - y0), max(0, x1 - x0)), bool)
    scale = min(1.0, _SIDE / max(x1 - x0, y1 - y0))
    shape = (max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale)))
    inside = _rectangle(shape, box, around, scale, _SLACK * max(shape))
    if hint is None:
        likely = inside.astype(np.float32) * np.float32(0.6)
    else:
        likely = np.asarray(cv2.resize(hint.within(around), shape[::-1]), np.float32)
    before = ((likely > _LIKELY) & inside).astype(np.uint8)
    after = None
    if min(shape) >= _LEAST_SIDE:
        seeds = np.full(shape, cv2.GC_BGD, np.uint8)
        for level, seed in (
            (_POSSIBLE, cv2.GC_PR_BGD),
            (_LIKELY, cv2.GC_PR_FGD),
            (_SURE, cv2.GC_FGD),
        ):
            seeds[inside & (likely > level)] = seed
        after = cut(resize(image[window(around)], shape[1], shape[0]), seeds, _ROUNDS)
    settled = _settle(before, after, trusted=hint is not None)
    smooth = cv2.resize(settled.astype(np.float32), (x1 - x0, y1 - y0))
    return around, np.asarray(smooth > 0.5)


def _settle(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8] | None, trusted: bool
) -> npt.NDArray[np.uint8]:
    """The cut, unless it strayed from a hint that is worth something."""
    if after is None:
        return before
    opened = np.asarray(
        cv2.morphologyEx(after, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8
    )
    share = float(opened.sum()) / max(1.0, float(before.sum()))
    if trusted and not _LEAST_SHARE < share < _MOST_SHARE:
        return before
    return opened if opened.any() else before
