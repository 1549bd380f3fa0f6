"""Give every pixel of a person to one cover: skin, hair, a garment, or the background.

A soft labelling in the manner of fast cost-volume filtering (Rhemann et al., CVPR 2011): each
cover has a colour model, relearned a few times from the pixels it holds (expectation
maximisation), its evidence is smoothed along the picture's edges with a guided filter (He, Sun,
Tang, ECCV 2010), and the strongest cover takes the pixel. All covers compete at once, so garments
cannot overlap.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.people.anatomy import Cover
from core.vision.lite.people.palette import Palette
from core.vision.lite.people.pose import Floats
from core.vision.lite.people.skin import SkinModel
from core.vision.port import Image

_KERNEL = 4.0  # CIELAB units over which colours lend each other evidence
_COLOUR_ROUNDS, _SMOOTH_ROUNDS = 2, 3
_FLOOR = 2e-3  # no colour is impossible for a cover
_DISTRUST = 0.95  # of skin colours found under a garment
_TYPICAL = 4  # how sharply the places are chosen where a garment's colours are learned
_AGREEMENT = 1.0  # weight of what the surroundings say
_FILTER_SHARE, _FILTER_EDGE = 0.025, 1e-3
_WORN = (Cover.TOP, Cover.BOTTOM, Cover.SHOES)


def partition(image: Image, palette: Palette, expected: Floats, skin: SkinModel) -> Floats:
    """Share out the pixels.

    Args:
        image: ``(h, w, 3) uint8`` RGB, the person's surroundings at work size.
        palette: its main colours.
        expected: ``(6, h, w) float32``, what the pose expects (:func:`anatomy.expectation`).
        skin: the person's skin.

    Returns:
        ``(6, h, w) float32``, summing to 1 over :class:`Cover`.
    """
    index = palette.index
    kernel = palette.kernel(_KERNEL)
    guide = _Guide(image, max(3, round(_FILTER_SHARE * max(index.shape))), shrink=3)
    alike = skin.likelihood(palette.colours)
    bare = alike * np.bincount(index.ravel(), expected[Cover.SKIN].ravel() ** 2, len(alike))
    bare /= max(1e-9, float(bare.sum()))

    belief = np.log(expected + 1e-6)
    shares = expected**2
    shares /= shares.sum(axis=0)
    smooth = shares
    typical = _typical(expected)
    for step in range(_COLOUR_ROUNDS + _SMOOTH_ROUNDS):
        colours = _colour_models(index, shares * typical, kernel, alike)
        if skin.pixels:
            colours[Cover.SKIN] = 0.7 * bare + 0.3 * colours[Cover.SKIN]
        colours = _without_skin(colours, alike)
        colours = (1 - _FLOOR * len(alike)) * colours + _FLOOR
        evidence = belief + np.log(colours)[:, index]
        if step > _COLOUR_ROUNDS:
            evidence += _AGREEMENT * np.log(smooth + 1e-3)
        shares = _softmax(evidence)
        if step >= _COLOUR_ROUNDS:
            smooth = np.stack([guide.filter(share) for share in shares]).clip(0, 1)
    result: Floats = (smooth / np.maximum(smooth.sum(axis=0), 1e-6)).astype(np.float32)
    return result


def _colour_models(
    index: npt.NDArray[np.intp], shares: Floats, kernel: Floats, alike: Floats
) -> Floats:
    """``(6, n) float32`` probability of each colour under each cover.

    What looks like skin hardly counts towards a garment. A garment all of whose pixels look like
    skin keeps its model, since each model sums to 1; one with a bare arm in it loses the arm.
    """
    flat = index.ravel()
    rows = [np.bincount(flat, share.ravel(), len(kernel)) for share in shares]
    histogram = np.stack(rows).astype(np.float32)
    histogram[list(_WORN)] *= 1 - _DISTRUST * alike
    histogram @= kernel
    models: Floats = histogram / np.maximum(histogram.sum(axis=1, keepdims=True), 1e-6)
    return models


def _typical(expected: Floats) -> Floats:
    """``(6, h, w)`` how much a pixel teaches about each cover's colours.

    A garment's colours are learned where little else is expected: a waist that went to the wrong
    side, or an arm, would otherwise make the rest of it follow.
    """
    worn = expected[list(_WORN)]
    typical = np.ones_like(expected)
    typical[list(_WORN)] = (worn / (worn.sum(axis=0) + expected[Cover.SKIN])) ** _TYPICAL
    return typical


def _without_skin(colours: Floats, alike: Floats) -> Floats:
    """Take out of the garments' models what looks more like skin than the garment itself does."""
    worn = colours[list(_WORN)]
    own = (worn @ alike)[:, None]
    own[_WORN.index(Cover.SHOES)] = 0  # sandals hold more foot than strap
    barer = np.clip((alike - own) / np.maximum(1 - own, 1e-3), 0, 1)
    cleaned = colours.copy()
    cleaned[list(_WORN)] = worn * (1 - _DISTRUST * barer)
    return cleaned


def _softmax(evidence: Floats) -> Floats:
    raised = np.exp(evidence - evidence.max(axis=0))
    shares: Floats = raised / raised.sum(axis=0)
    return shares


class _Guide:
    """A colour picture that smooths maps along its own edges.

    The linear models are fitted on a smaller picture and applied to the full one, which costs a
    fraction and looks the same (He, Sun, "Fast Guided Filter", 2015).
    """

    def __init__(self, image: Image, radius: int, shrink: int) -> None:
        self._full: Floats = image.astype(np.float32) / np.float32(255)
        height, width = image.shape[:2]
        self._size = (max(1, width // shrink), max(1, height // shrink))
        side = 2 * max(1, radius // shrink) + 1
        self._window = (side, side)
        self._small = self._shrunk(self._full)
        self._mean = self._blur(self._small)
        shape = (*self._small.shape[:2], 3, 3)
        outer = (self._small[..., :, None] * self._small[..., None, :]).reshape(*shape[:2], 9)
        spread = (
            self._blur(outer).reshape(shape) - self._mean[..., :, None] * self._mean[..., None, :]
        )
        self._inverse = np.linalg.inv(spread + _FILTER_EDGE * np.eye(3, dtype=np.float32))

    def filter(self, values: Floats) -> Floats:
        """``(h, w) float32`` smoothed where the picture is smooth, kept sharp at its edges."""
        small = self._shrunk(values)
        mean = self._blur(small)
        spread = self._blur(self._small * small[..., None]) - self._mean * mean[..., None]
        slope = np.einsum("hwij,hwj->hwi", self._inverse, spread)
        offset = mean - np.einsum("hwc,hwc->hw", slope, self._mean)
        full = self._full.shape[1::-1]
        slope = np.asarray(cv2.resize(self._blur(slope), full))
        smooth = np.einsum("hwc,hwc->hw", slope, self._full) + cv2.resize(self._blur(offset), full)
        return np.asarray(smooth, np.float32)

    def _blur(self, values: Floats) -> Floats:
        return np.asarray(cv2.blur(values, self._window), np.float32)

    def _shrunk(self, values: Floats) -> Floats:
        return np.asarray(cv2.resize(values, self._size, interpolation=cv2.INTER_AREA), np.float32)
