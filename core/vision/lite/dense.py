"""From dense maps to garments: which cells speak of the same one, its box, its coarse mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.network import Maps

Boxes = npt.NDArray[np.float64]

_STRIDE: Final = 8
_MOST: Final = 12
_SAME: Final = 0.6
_NEAR: Final = 0.5
_CONTAINED: Final = 0.75
_UNCLAIMED: Final = 0.55
_LEAST_AREA: Final = 0.004
_REACH: Final = 1.35
_LEAST_PART: Final = 0.15
_AGREES: Final = 0.45
_LEAST_FILL: Final = 0.3


@dataclass(frozen=True, slots=True)
class Sighting:
    """One garment on the detector's square.

    Attributes:
        box: ``(4,) float64`` xyxy in square pixels.
        score: 0 to 1, how sure and how central its best cell is.
        chances: ``(6,) float64`` probability of each category.
        likely: ``(side, side) float32`` foreground probability, zero where others own the pixel.
    """

    box: Boxes
    score: float
    chances: npt.NDArray[np.float64]
    likely: npt.NDArray[np.float32]


def area(boxes: Boxes) -> Boxes:
    """Areas of ``(..., 4)`` xyxy boxes."""
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def intersection(a: Boxes, b: Boxes) -> Boxes:
    """Overlapping area of xyxy boxes, broadcast over leading axes."""
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    return np.asarray((high - low).clip(0).prod(-1))


def iou(a: Boxes, b: Boxes) -> Boxes:
    """Intersection over union of xyxy boxes, broadcast over leading axes."""
    common = intersection(a, b)
    return np.asarray(common / np.maximum(1e-6, area(a) + area(b) - common))


def _cell_boxes(maps: Maps, side: int) -> Boxes:
    """The box each cell predicts, ``(g * g, 4)``."""
    grid = maps.centres.shape[-1]
    centre = (np.arange(grid) + 0.5) * _STRIDE
    x, y = np.meshgrid(centre, centre)
    left, top, right, bottom = maps.distances.astype(np.float64) * (side / 4)
    boxes = np.stack([x - left, y - top, x + right, y + bottom], -1)
    return boxes.reshape(-1, 4).clip(0, side)


def _group(
    maps: Maps, foreground: npt.NDArray[np.float32], side: int, threshold: float
) -> list[tuple[Boxes, float, npt.NDArray[np.float64]]]:
    """Merge cells that predict the same box; drop boxes that only repeat what others claimed."""
    boxes = _cell_boxes(maps, side)
    scores = np.sqrt(foreground * maps.centres).ravel()
    chances = maps.classes[1:].reshape(len(maps.classes) - 1, -1)
    solid = foreground > 0.5
    claimed = np.zeros_like(solid)
    order = np.argsort(-scores, kind="stable")
    left = order[scores[order] > threshold]
    found: list[tuple[Boxes, float, npt.NDArray[np.float64]]] = []
    while len(left) and len(found) < _MOST:
        best = left[0]
        overlap = iou(boxes[best], boxes[left])
        group = left[overlap > _SAME]
        left = left[overlap <= _NEAR]
        weight = scores[group].astype(np.float64) ** 2
        box = (boxes[group] * weight[:, None]).sum(0) / weight.sum()
        if any(intersection(box, other) > _CONTAINED * area(box) for other, _, _ in found):
            continue
        x0, y0, x1, y1 = (box / _STRIDE).round().astype(int)
        window = np.s_[y0:y1, x0:x1]
        mine, new = solid[window].sum(), (solid[window] & ~claimed[window]).sum()
        if mine == 0 or new < _UNCLAIMED * mine:
            continue
        claimed[window] = True
        chance = (chances[:, group] * weight).sum(1) / weight.sum()
        found.append((box, float(scores[best]), chance / chance.sum()))
    return [entry for entry in found if area(entry[0]) > _LEAST_AREA * side * side]


def _owners(boxes: Boxes, side: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """For each pixel the box it lies deepest in, and how deep (below 1 is inside)."""
    y, x = np.mgrid[0:side, 0:side] + 0.5
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half.clip(4)
    across = np.abs(x - middle[:, 0, None, None]) / half[:, 0, None, None]
    along = np.abs(y - middle[:, 1, None, None]) / half[:, 1, None, None]
    depth = np.maximum(across, along)
    return depth.argmin(0), depth.min(0)


def _main_parts(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(parts, 1 + np.flatnonzero(areas > _LEAST_PART * areas.max()))


def _outline(mask: npt.NDArray[np.bool_]) -> Boxes:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def sightings(maps: Maps, side: int, threshold: float) -> list[Sighting]:
    """The garments on one square, surest first.

    Pixels are shared out: each belongs to the box it lies deepest in, so that garments that touch
    don't take each other's cloth. Where the shared-out pixels agree with the box, their outline
    replaces it, being finer than the grid.
    """
    foreground = 1 - maps.classes[0]
    centres = maps.centres.reshape(foreground.shape)
    found = _group(Maps(maps.classes, maps.distances, centres), foreground, side, threshold)
    if not found:
        return []
    fine = np.asarray(cv2.resize(foreground, (side, side)), np.float32)
    owner, depth = _owners(np.stack([box for box, _, _ in found]), side)
    result: list[Sighting] = []
    for k, (predicted, score, chances) in enumerate(found):
        box = predicted
        near = (owner == k) & (depth < _REACH)
        mine = _main_parts((fine > 0.5) & near)
        if mine.any():
            outline = _outline(mine)
            if iou(outline, box) > _AGREES:
                box = outline
            if mine.sum() > _LEAST_FILL * area(box):
                result.append(Sighting(box, score, chances, np.where(near, fine, np.float32(0))))
    return result
