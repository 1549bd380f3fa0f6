"""A picture's main colours: forty clusters stand for all its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.people.pose import Floats
from core.vision.lite.people.skin import to_lab
from core.vision.port import Image, Mask

_COLOURS = 40
_SAMPLE = 5000
_BITS = 5  # a channel, for the table from pixel to cluster: finer steps change nothing
_WEIGHTS = np.array([0.6, 1, 1], np.float32)  # of L*, a*, b*: shade changes lightness first
_ONE_CLOTH = 8.0  # CIELAB units within which folds and shadows of one cloth lie


@dataclass(frozen=True, slots=True)
class Palette:
    """Main colours of a picture.

    Attributes:
        index: ``(h, w)`` the cluster of each pixel.
        colours: ``(n, 3) float32`` the clusters' centres, CIELAB.
    """

    index: npt.NDArray[np.intp]
    colours: Floats

    def kernel(self, reach: float) -> Floats:
        """``(n, n) float32`` how much each colour speaks for each other one; rows sum to 1.

        Args:
            reach: CIELAB units over which colours lend each other evidence.
        """
        gap = (self.colours[:, None] - self.colours[None]) * _WEIGHTS
        near = np.exp(-0.5 * np.square(gap).sum(axis=-1) / reach**2)
        rows: Floats = (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
        return rows

    def distribution(self, mask: Mask) -> Floats:
        """``(n,) float32`` share of each colour under ``mask``, ``(h, w) bool``."""
        counts = np.bincount(self.index[mask], minlength=len(self.colours))
        shares: Floats = (counts @ self.kernel(_ONE_CLOTH) / max(1, counts.sum())).astype(
            np.float32
        )
        return shares


def palette(image: Image, lab: Floats) -> Palette:
    """Reduce ``image``, ``(h, w, 3) uint8`` RGB, with its CIELAB values ``lab``, to its colours.

    K-means on a sample; the rest follows through a table over coarse RGB cells. The same picture
    always gives the same palette.
    """
    pixels = lab.reshape(-1, 3)
    sample = np.ascontiguousarray(pixels[:: max(1, len(pixels) // _SAMPLE)] * _WEIGHTS)
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    labels = np.zeros((len(sample), 1), np.int32)
    count = min(_COLOURS, len(sample))
    _, _, found = cv2.kmeans(sample, count, labels, stop, 1, cv2.KMEANS_PP_CENTERS)
    centres = np.asarray(found, np.float32)

    levels = (image >> (8 - _BITS)).astype(np.int32)
    cells = (levels[..., 0] << 2 * _BITS) | (levels[..., 1] << _BITS) | levels[..., 2]
    used = np.flatnonzero(np.bincount(cells.ravel(), minlength=1 << 3 * _BITS))
    gap = _cell_colours(used)[:, None] * _WEIGHTS - centres[None]
    table = np.zeros(1 << 3 * _BITS, np.intp)
    table[used] = np.square(gap).sum(axis=-1).argmin(axis=1)
    return Palette(table[cells], centres / _WEIGHTS)


def likeness(first: Floats, second: Floats) -> float:
    """Bhattacharyya coefficient of two colour distributions, 0 to 1."""
    return float(np.sqrt(first * second).sum())


def _cell_colours(cells: npt.NDArray[np.intp]) -> Floats:
    """CIELAB of the middle of coarse RGB cells."""
    mask, half = (1 << _BITS) - 1, 1 << (7 - _BITS)
    channels = [(cells >> shift * _BITS) & mask for shift in (2, 1, 0)]
    rgb = (np.stack(channels, axis=-1) << (8 - _BITS)) + half
    lab: Floats = to_lab(rgb.astype(np.uint8)[None])[0]
    return lab
