"""Pseudo-truth masks: a photo of one garment, cut from its background without any network.

The border of the photo gives the background's colours; what differs from them and lies near the
middle seeds GrabCut (Rother, Kolmogorov, Blake: GrabCut, SIGGRAPH 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.grabcut import cut
from core.vision.lite.views import resize
from core.vision.port import Image, Mask

_SIDE = 160
_BORDER = 0.05
_CLUSTERS = 4
_LEAST_SHARE = 0.12


def _unlikeness(picture: Image) -> npt.NDArray[np.float32]:
    """Distance of each pixel to the nearest border colour, in CIELAB with damped lightness."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[:, :, 0] *= 0.6
    width = max(2, int(_BORDER * min(picture.shape[:2])))
    strips = (lab[:width], lab[:, :width], lab[:, -width:], lab[-width:])
    samples = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, member, centres = cv2.kmeans(
        samples, _CLUSTERS, np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS
    )
    share = np.bincount(member.ravel(), minlength=_CLUSTERS) / len(samples)
    distances = [np.linalg.norm(lab - c, axis=2) for c in centres[share > _LEAST_SHARE]]
    return cast("npt.NDArray[np.float32]", np.min(distances, axis=0))


def _middle(height: int, width: int) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0:height, 0:width]
    dx, dy = (x - width / 2) / (0.45 * width), (y - height / 2) / (0.45 * height)
    return np.asarray(np.exp(-(dx**2 + dy**2)))


def _seeds(picture: Image) -> npt.NDArray[np.uint8]:
    unlike = _unlikeness(picture)
    unlike = (unlike / (np.percentile(unlike, 95) + 1e-6)).clip(0, 1)
    score = (0.6 * unlike + 0.6 * _middle(*picture.shape[:2])).clip(0, 1.2) / 1.2
    level, _ = cv2.threshold((score * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    level /= 255
    seeds = np.full(score.shape, cv2.GC_BGD, np.uint8)
    seeds[score > 0.5 * level] = cv2.GC_PR_BGD
    seeds[score > level] = cv2.GC_PR_FGD
    seeds[score > 1.25 * level] = cv2.GC_FGD
    rim = np.ones_like(seeds, bool)
    rim[2:-2] = False
    seeds[rim] = cv2.GC_PR_BGD
    seeds[score > 1.35 * level] = cv2.GC_FGD
    return seeds


def _tidy(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return np.asarray(closed, np.uint8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(parts, 1 + np.flatnonzero(areas > 0.25 * areas.max())).astype(np.uint8)


def border_mask(image: Image) -> Mask:
    """The garment of a photo that shows one; ``(h, w) bool``, all true where the cut fails."""
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    small = resize(image, max(16, round(width * scale)), max(16, round(height * scale)))
    found = cut(small, _seeds(small), rounds=3)
    if found is None:
        return np.ones((height, width), bool)
    mask = cv2.resize(_tidy(found), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(mask > 0)


def plausible(mask: Mask) -> bool:
    """Whether a mask looks like one garment in a picture: neither tiny, nor all, nor cut off."""
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(0.06 < mask.mean() < 0.8 and rim.mean() < 0.12)


def make_masks(images: Sequence[Image], threads: int = 2) -> list[Mask]:
    """A mask for every photo."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(border_mask, images))


def save_masks(path: Path, masks: Sequence[Mask]) -> None:
    """Store masks as packed bits."""
    shapes = np.array([mask.shape for mask in masks], np.int32)
    bits = np.concatenate([np.packbits(mask) for mask in masks])
    np.savez(path, shapes=shapes, bits=bits)


def load_masks(path: Path) -> list[Mask]:
    """What ``save_masks`` stored."""
    with np.load(path) as stored:
        shapes, bits = stored["shapes"], stored["bits"]
    masks: list[Mask] = []
    start = 0
    for height, width in shapes:
        length = -(-height * width // 8)
        flat = np.unpackbits(bits[start : start + length], count=height * width)
        masks.append(flat.reshape(height, width).astype(bool))
        start += length
    return masks
