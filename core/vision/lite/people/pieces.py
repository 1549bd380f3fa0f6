"""From covers to pieces of clothing: crumbs out, one dress or two pieces, a jacket or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from core.vision.lite.people import outfit
from core.vision.lite.people.anatomy import Cover
from core.vision.lite.people.layers import under_open_front
from core.vision.lite.people.outfit import Covers, Leanings
from core.vision.lite.people.palette import Palette, likeness
from core.vision.lite.people.pose import Body, Floats
from core.vision.lite.people.seams import Part
from core.vision.port import Mask

_LEAST_PIECE = {Cover.TOP: 0.06, Cover.BOTTOM: 0.06, Cover.SHOES: 0.02}  # torso lengths squared
_LEAST_BLOB = 0.06  # of a piece's largest blob
_LEAST_FIT = 0.2  # mean expectation of a piece in one of its blobs
_SKIN_COLOURED = 0.4  # shoes more like skin than this can't be told from bare feet


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of clothing before it has a name.

    Attributes:
        part: the body region it covers.
        mask: ``(h, w) bool`` of the view.
        leanings: how well labels fit, by what the body shows.
    """

    part: Part
    mask: Mask
    leanings: Leanings = field(default_factory=dict)


def tidy(shares: Floats, expected: Floats, body: Body, alike: Floats) -> Covers:
    """The strongest cover of each pixel, without crumbs and unlikely pieces.

    A blob of a piece goes where it is small beside the largest, or lies where the pose expects
    something else: a bag in a hand often has the colour of a garment.

    Args:
        shares, expected: ``(6, h, w) float32`` by
            :class:`~core.vision.lite.people.anatomy.Cover`: what was found, and what the pose led
            to expect.
        body: the pose, in pixels of the view.
        alike: ``(h, w) float32`` likelihood of skin.

    Returns:
        ``(h, w) uint8`` of :class:`~core.vision.lite.people.anatomy.Cover`.
    """
    covers: Covers = shares.argmax(axis=0).astype(np.uint8)
    for cover, least in _LEAST_PIECE.items():
        mask = covers == cover
        covers[mask & ~_fitting(mask, expected[cover])] = Cover.BACKGROUND
        kept = covers == cover
        if cover == Cover.SHOES and kept.any() and alike[kept].mean() > _SKIN_COLOURED:
            covers[kept] = Cover.SKIN
        elif np.count_nonzero(kept) < least * body.torso**2:
            covers[kept] = Cover.BACKGROUND
    return covers


def _fitting(mask: Mask, expected: Floats) -> Mask:
    """The blobs of ``mask`` that are large enough and lie where they are expected."""
    count, blobs = cv2.connectedComponents(mask.astype(np.uint8))
    flat = np.asarray(blobs).ravel()
    areas = np.bincount(flat, minlength=count).astype(np.float64)
    areas[0] = 0
    fit = np.bincount(flat, expected.ravel(), count) / np.maximum(areas, 1)
    good = (areas >= _LEAST_BLOB * areas.max()) & (fit >= _LEAST_FIT) & (areas > 0)
    fitting: Mask = good[np.asarray(blobs)]
    return fitting


def pieces(
    body: Body, covers: Covers, colours: Palette, named_dress: Callable[[Mask], float]
) -> list[Piece]:
    """What the body wears, each pixel in one piece at most.

    Args:
        body: the pose, in pixels of the view.
        covers: ``(h, w) uint8`` of :class:`~core.vision.lite.people.anatomy.Cover`, tidied.
        colours: the view's palette.
        named_dress: how surely what is under a mask looks like a dress, 0 to 1; asked only where
            the body leaves it open.
    """
    top, bottom, shoes = (covers == c for c in (Cover.TOP, Cover.BOTTOM, Cover.SHOES))
    legs = outfit.read_legs(body, covers)
    if top.any() and bottom.any():
        alike = likeness(colours.distribution(top), colours.distribution(bottom))
        if outfit.is_long_top(alike, legs):
            top, bottom = top | bottom, np.zeros_like(bottom)
        elif not outfit.is_parted(body, covers) and outfit.is_dress(
            alike, legs, named_dress(top | bottom)
        ):
            return [Piece("dress", top | bottom), *_shoes(shoes)]
    worn = _tops(top, body, covers, colours) if top.any() else []
    if bottom.any():
        worn.append(Piece("bottom", bottom, outfit.lean_bottom(legs, bool(bottom[-2:].any()))))
    return [*worn, *_shoes(shoes)]


def _shoes(mask: Mask) -> list[Piece]:
    return [Piece("footwear", mask)] if mask.any() else []


def _tops(top: Mask, body: Body, covers: Covers, colours: Palette) -> list[Piece]:
    """The top, or an open jacket and the top under it."""
    leanings = outfit.lean_top(body, covers)
    inner = under_open_front(top, body, colours)
    if inner is None:
        return [Piece("top", top, leanings)]
    return [
        Piece("top", top & ~inner, leanings | outfit.LEAN_JACKET),
        Piece("top", inner, outfit.LEAN_UNDER_JACKET),
    ]
