"""Pictures, short films and a catalog, drawn by code: the same seed gives the same bytes."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image as Pictures

from core.vision.port import Image
from infra.demo.catalog import write_catalog
from infra.demo.drawing.film import Reel, write_film
from infra.demo.drawing.scene import Light, Placed, Scene, paint
from infra.demo.drawing.surfaces import wall
from infra.demo.shop.wardrobe import wardrobe
from infra.demo.truth import Shot, View

_WIDTH, _HEIGHT = 360, 300
_SHOT_MS = 700
_SUFFIXES = (".jpg", ".png", ".webp", ".jpeg")


def write_shop(folder: Path, products: int) -> None:
    """So many of the demo's twenty products, a folder each."""
    for spare in write_catalog(folder)[products:]:
        shutil.rmtree(folder / f"product_{spare}")


def write_looks(folder: Path, pictures: int, films: int, repeats: int, seed: int) -> list[Path]:
    """Media that are all different, then ``repeats`` copies of some under other names.

    Films stand among the pictures, copies in the later half behind what they repeat.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)
    files = [write_picture(folder / f"look-{n:03d}", random) for n in range(pictures)]
    for n in range(films):
        film = write_look_film(folder / f"film-{n:03d}.mp4", random)
        files.insert(random.randrange(len(files)), film)
    first = files[: max(1, len(files) // 3)]
    for n in range(repeats):
        original = random.choice(first)
        copy = folder / f"again-{n:03d}{original.suffix}"
        shutil.copyfile(original, copy)
        files.insert(random.randrange(len(files) * 2 // 3, len(files) + 1), copy)
    return files


def write_picture(path: Path, random: Random) -> Path:
    """One garment or two before a wall, as one of the picture formats."""
    file = path.with_suffix(random.choice(_SUFFIXES))
    Pictures.fromarray(_still(random)).save(file, quality=88)
    return file


def write_look_film(path: Path, random: Random) -> Path:
    """Two or three shots with cuts between them."""
    reels = []
    for shot in range(random.randint(2, 3)):
        start = shot * _SHOT_MS
        view = View(random.randint(0, 30), random.randint(0, 20), _WIDTH - 40, _HEIGHT - 30)
        whole = View(0, 0, _WIDTH, _HEIGHT)
        reels.append(Reel(_still(random), Shot(start, start + _SHOT_MS, (), whole, view)))
    write_film(path, reels, _WIDTH, _HEIGHT)
    return path


def _still(random: Random) -> Image:
    shade = random.randint(190, 245)
    products = random.sample(_products(), random.randint(1, 2))
    placed = tuple(
        Placed(
            product,
            (0.28 + 0.45 * place) if len(products) == 2 else 0.5,
            random.uniform(0.45, 0.55),
            random.uniform(0.6, 0.75),
            random.uniform(-10, 10),
            random.random() < 0.5,
        )
        for place, product in enumerate(products)
    )
    colour = (shade, shade - random.randint(0, 8), shade - random.randint(0, 14))
    light = Light(exposure=random.uniform(0.9, 1.05), noise=1.5)
    seed = random.randrange(1 << 30)
    return paint(Scene(_WIDTH, _HEIGHT, wall(colour), placed, light, seed), wardrobe()).image


@cache
def _products() -> list[str]:
    return sorted(wardrobe())
