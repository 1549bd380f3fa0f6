"""Lays drawn garments onto a surface, with their shadows, under one light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from core.events import Box
from core.vision.port import Image
from infra.demo.drawing.draw import Sprite
from infra.demo.drawing.fabric import Field
from infra.demo.drawing.surfaces import Surface
from infra.demo.truth import Shown


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a product lies.

    Attributes:
        product_id: whose garment.
        x, y: its middle, shares of the picture's width and height.
        size: side of the square it was drawn in, share of the picture's height.
        angle: degrees it is turned, clockwise.
        flip: seen from the other side, as a mirror image.
    """

    product_id: str
    x: float
    y: float
    size: float
    angle: float = 0.0
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Light:
    """How a scene is lit and taken.

    Attributes:
        exposure: factor on all pixels.
        warmth: share by which red is raised and blue lowered.
        fall: how much darker the side away from the window is, 0 to 1.
        noise: standard deviation of the sensor's noise, levels of 255.
        shadow: darkness of the shadows, 0 to 1.
    """

    exposure: float = 1.0
    warmth: float = 0.0
    fall: float = 0.15
    noise: float = 2.0
    shadow: float = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to be: surface, garments, light. ``seed`` decides the surface's grain."""

    width: int
    height: int
    surface: Surface
    placed: tuple[Placed, ...]
    light: Light
    seed: int


@dataclass(frozen=True, slots=True)
class Still:
    """A painted scene and what lies where in it."""

    image: Image
    garments: tuple[Shown, ...]


def paint(scene: Scene, sprites: Mapping[str, Sprite]) -> Still:
    """The scene's pixels, and the box of every garment in them."""
    random = np.random.default_rng(scene.seed)
    picture = scene.surface(random, scene.height, scene.width)
    shown = []
    for placed in scene.placed:
        box = _lay(picture, sprites[placed.product_id], placed, scene.light.shadow)
        shown.append(Shown(placed.product_id, box))
    return Still(_expose(picture, scene.light, random), tuple(shown))


def _lay(picture: Field, sprite: Sprite, placed: Placed, shadow: float) -> Box:
    """Paints one garment; its box holds all pixels more opaque than not."""
    height, width = picture.shape[:2]
    small = max(round(placed.size * height), 8)
    pixels = cv2.resize(sprite.pixels, (small, small), interpolation=cv2.INTER_AREA)
    if placed.flip:
        pixels = pixels[:, ::-1]
    turn = cv2.getRotationMatrix2D((small / 2, small / 2), -placed.angle, 1.0)
    turn[:, 2] += (placed.x * width - small / 2, placed.y * height - small / 2)
    laid = cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR)
    x, y, w, h = cv2.boundingRect((laid[..., 3] > 127).astype(np.uint8))
    pad = round(small * 0.06)
    window = (slice(max(y - pad, 0), y + h + pad), slice(max(x - pad, 0), x + w + pad))
    alpha = np.asarray(laid[window][..., 3] / 255, np.float32)
    picture[window] *= 1 - np.float32(shadow) * _shadow(alpha, small)[..., None]
    picture[window] *= 1 - alpha[..., None]
    picture[window] += laid[window][..., :3]
    return (float(x), float(y), float(x + w), float(y + h))


def _shadow(alpha: Field, side: int) -> Field:
    """Where light is missing: close under the edge, and wider to the lower right."""
    near = cv2.GaussianBlur(alpha, (0, 0), max(side * 0.006, 0.5))
    wide = cv2.GaussianBlur(alpha, (0, 0), max(side * 0.02, 1.0))
    shift = max(round(side * 0.012), 1)
    wide = np.roll(wide, (shift, shift), axis=(0, 1))
    return np.asarray(0.55 * near + 0.45 * wide, np.float32)


def _expose(picture: Field, light: Light, random: np.random.Generator) -> Image:
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    away = (x / width + y / height) / 2
    tint = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)
    lit = picture * (light.exposure * (1 + light.fall * (0.5 - away)))[..., None] * tint
    lit += random.normal(0, light.noise, (height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(lit, 0, 255).astype(np.uint8))
