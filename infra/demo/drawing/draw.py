"""Draws a garment: layers become pixels with folds, soft light and a cut-out edge.

Everything happens on one square at about twice the size it is shown at; shrinking it smooths
what polygon edges leave jagged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.drawing.fabric import Field
from infra.demo.drawing.garment import Button, Garment, Ink, Part, Seam
from infra.demo.drawing.outline import Points, moved

SIDE = 880
"""Pixels of the square a garment is drawn in."""

_UNIT = SIDE * 0.455
_LIGHT = np.array([-0.45, -0.8], np.float32)
"""Where light comes from, image plane: upper left."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn garment: ``(880, 880, 4) uint8``, RGB already multiplied by opacity, opacity."""

    pixels: npt.NDArray[np.uint8]


class _Canvas:
    def __init__(self) -> None:
        self.colour = np.full((SIDE, SIDE, 3), 128, np.float32)
        self.alpha = np.zeros((SIDE, SIDE), np.float32)
        self.height = np.zeros((SIDE, SIDE), np.float32)
        self.shade = np.ones((SIDE, SIDE), np.float32)


def draw(garment: Garment) -> Sprite:
    """The garment's picture; the same garment always gives the same pixels."""
    random = np.random.default_rng(garment.seed)
    canvas = _Canvas()
    for layer in garment.layers:
        match layer:
            case Part():
                _cut(canvas, layer)
            case Ink():
                _print(canvas, layer)
            case Seam():
                _sew(canvas, layer)
            case Button():
                _button(canvas, layer)
    folds = _folds(random, garment.slant) * np.float32(garment.drape)
    lit = _light(canvas.height + folds) * canvas.shade
    rgb = np.clip(canvas.colour * lit[..., None], 0, 255) * canvas.alpha[..., None]
    rgba = cv2.merge([rgb, canvas.alpha * 255])
    return Sprite(_laid_down(rgba.astype(np.uint8), random))


def _pixels(points: Points) -> npt.NDArray[np.int32]:
    """Garment units to pixels, in sixteenths as OpenCV's ``shift=4`` wants them."""
    return np.asarray(np.rint((points * _UNIT + SIDE / 2) * 16), np.int32)


def _mask(points: Points) -> tuple[Field, tuple[slice, slice]]:
    """A filled outline, 0 to 1, and the window of the canvas it lies in."""
    corners = _pixels(points)
    x0, y0 = (int(v) for v in np.maximum(corners.min(axis=0) // 16 - 4, 0))
    x1, y1 = (int(v) for v in np.minimum(corners.max(axis=0) // 16 + 5, SIDE))
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask, [corners - np.array([x0, y0], np.int32) * 16], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / 255, np.float32), (slice(y0, y1), slice(x0, x1))


def _cloth(part: Part, window: tuple[slice, slice]) -> tuple[Field, Field]:
    """Cloth coordinates of a window's pixels."""
    rows, columns = window
    y, x = np.mgrid[rows, columns].astype(np.float32)
    x = (x - SIDE / 2) / _UNIT - np.float32(part.centre[0])
    y = (y - SIDE / 2) / _UNIT - np.float32(part.centre[1])
    angle = np.float32(np.deg2rad(part.grain))
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _cut(canvas: _Canvas, part: Part) -> None:
    mask, window = _mask(part.outline)
    u, v = _cloth(part, window)
    _cast_shadow(canvas, mask, window)
    inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    reach = _UNIT * 0.07 * max(part.puff, 0.3)
    edge = np.clip(inside / reach, 0, 1)
    rounded = np.asarray(np.sqrt(1 - (1 - edge) ** 2) * 0.018 * part.puff, np.float32)
    if part.relief is not None:
        rounded = rounded + part.relief(u, v)
    cover = mask / np.maximum(np.maximum(canvas.alpha[window], mask), 1e-3)
    canvas.colour[window] += (part.fabric(u, v) - canvas.colour[window]) * cover[..., None]
    canvas.height[window] += (rounded - canvas.height[window]) * mask
    canvas.shade[window] += (0.93 + 0.07 * np.clip(inside / 4, 0, 1) - canvas.shade[window]) * mask
    canvas.alpha[window] = np.maximum(canvas.alpha[window], mask)


def _cast_shadow(canvas: _Canvas, mask: Field, window: tuple[slice, slice]) -> None:
    """Darkens what a part is about to lie on, a little beyond its edge."""
    rows, columns = window
    pad = 14
    wide = (
        slice(max(rows.start - pad, 0), min(rows.stop + pad, SIDE)),
        slice(max(columns.start - pad, 0), min(columns.stop + pad, SIDE)),
    )
    spread = np.zeros_like(canvas.shade[wide])
    top, left = rows.start - wide[0].start, columns.start - wide[1].start
    spread[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    soft = np.roll(cv2.blur(cv2.blur(spread, (11, 11)), (11, 11)), (3, 2), axis=(0, 1))
    canvas.shade[wide] *= 1 - 0.34 * soft


def _print(canvas: _Canvas, ink: Ink) -> None:
    mask, window = _mask(ink.outline)
    cover = (mask * canvas.alpha[window] * np.float32(ink.opacity))[..., None]
    canvas.colour[window] += (np.array(ink.colour, np.float32) - canvas.colour[window]) * cover


def _sew(canvas: _Canvas, seam: Seam) -> None:
    line = np.zeros((SIDE, SIDE), np.uint8)
    thickness = max(round(seam.width * _UNIT), 1)
    runs = _dashes(seam.points, seam.dash) if seam.dash else [seam.points]
    cv2.polylines(line, [_pixels(run) for run in runs], False, 255, thickness, cv2.LINE_AA, 4)
    x, y, w, h = cv2.boundingRect(line)
    pad = 8
    window = (slice(max(y - pad, 0), y + h + pad), slice(max(x - pad, 0), x + w + pad))
    stroke = line[window].astype(np.float32) / 255
    soft = cv2.GaussianBlur(stroke, (0, 0), 2.0 + thickness / 2)
    if seam.colour is None:
        deep = min(seam.width / 0.008, 1.0)
        canvas.shade[window] *= 1 - deep * (0.3 * stroke + 0.16 * np.minimum(soft * 2, 1))
        canvas.height[window] -= 0.006 * soft
        return
    canvas.shade[window] *= 1 - 0.3 * np.roll(soft, (2, 1), axis=(0, 1))
    cover = (stroke * canvas.alpha[window])[..., None]
    canvas.colour[window] += (np.array(seam.colour, np.float32) - canvas.colour[window]) * cover
    canvas.shade[window] += (1 - canvas.shade[window]) * cover[..., 0] * 0.8
    canvas.height[window] += 0.006 * soft * min(seam.width / 0.02, 1)


def _dashes(points: Points, length: float) -> list[Points]:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    starts = np.arange(0, along[-1], length * 1.6)
    ends = np.minimum(starts + length, along[-1])
    places = np.stack([starts, ends], axis=1)
    x, y = (np.interp(places, along, points[:, axis]) for axis in (0, 1))
    return [np.stack([a, b], axis=1).astype(np.float32) for a, b in zip(x, y, strict=True)]


def _button(canvas: _Canvas, button: Button) -> None:
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False, dtype=np.float32)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1, dtype=np.float32)
    disc = moved(ring, *button.centre, button.radius)
    mask, window = _mask(disc)
    _cast_shadow(canvas, mask, window)
    colour = np.array(button.colour, np.float32)
    canvas.colour[window] += (colour - canvas.colour[window]) * mask[..., None]
    canvas.alpha[window] = np.maximum(canvas.alpha[window], mask)
    inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    rim = np.clip(inside / max(button.radius * _UNIT * 0.4, 1), 0, 1)
    canvas.height[window] += (0.03 * np.sin(rim * np.pi) - canvas.height[window]) * mask
    canvas.shade[window] += (1 - canvas.shade[window]) * mask


def _noise(random: np.random.Generator, rows: int, columns: int, side: int) -> Field:
    """Smooth noise around 0 with that many humps down and across."""
    coarse = random.normal(0, 1, (rows + 3, columns + 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def _folds(random: np.random.Generator, slant: float) -> Field:
    """Height of the folds: broad waves along the fall of the cloth and some sharper creases."""
    side = SIDE // 4
    waves = 0.016 * _noise(random, 2, 6, side) + 0.007 * _noise(random, 5, 13, side)
    creases = np.zeros((side, side), np.float32)
    for _ in range(22):
        x, y = random.uniform(0.15, 0.85, 2) * side
        length = random.uniform(0.15, 0.45) * side
        angle = np.deg2rad(90 + slant + random.normal(0, 26))
        bend = random.normal(0, 0.25)
        along = np.linspace(-0.5, 0.5, 12)
        turn = angle + bend * along
        points = np.stack([x + length * along * np.cos(turn), y + length * along * np.sin(turn)], 1)
        stroke = np.zeros_like(creases)
        cv2.polylines(stroke, [points.astype(np.int32)], False, 1.0, 2, cv2.LINE_AA)
        creases += stroke * np.float32(random.choice([-1, 1]) * random.uniform(0.5, 1.0))
    waves += 0.05 * cv2.GaussianBlur(creases, (0, 0), 2.6)
    turned = cv2.getRotationMatrix2D((side / 2, side / 2), -slant, 1.15)
    waves = cv2.warpAffine(waves, turned, (side, side), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(waves, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def _light(height: Field) -> Field:
    """Brightness of a relief lit from the upper left, 1 where it lies flat."""
    soft = cv2.GaussianBlur(height, (0, 0), 1.6)
    slope_x = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=_UNIT / 8)
    slope_y = cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=_UNIT / 8)
    facing = 1 + slope_x * _LIGHT[0] + slope_y * _LIGHT[1]
    steep = np.sqrt(1 + slope_x**2 + slope_y**2)
    hollow = np.clip((cv2.blur(height, (61, 61)) - height) * 6, 0, 0.2)
    return np.asarray(np.clip(0.25 + 0.75 * facing / steep, 0.45, 1.22) - hollow, np.float32)


def _laid_down(rgba: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Nothing lies perfectly straight: bends the drawing by about a percent."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    bend = np.float32(SIDE * 0.0065)
    return np.asarray(
        cv2.remap(
            rgba,
            x + bend * _noise(random, 3, 3, SIDE),
            y + bend * _noise(random, 3, 3, SIDE),
            cv2.INTER_LINEAR,
        )
    )
