"""The demo's media as files: photos and a film, and the truth about them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image as Pictures

from infra.demo.drawing.film import Reel, write_film
from infra.demo.drawing.scene import paint
from infra.demo.plan import FILM, PICTURES, TAKES, Picture
from infra.demo.shop.wardrobe import THREADS, wardrobe
from infra.demo.truth import MediumTruth, Shot, View

_FILM_WIDTH, _FILM_HEIGHT = 640, 480


def write_media(folder: Path) -> tuple[MediumTruth, ...]:
    """Draws and writes all media; gives what is in them, in the order they were written."""
    folder.mkdir(parents=True, exist_ok=True)
    wardrobe()  # before the threads below, so that it is drawn once
    with ThreadPoolExecutor(THREADS) as pool:
        film = pool.submit(_write_film, folder / FILM)
        pictures = tuple(pool.map(partial(_write_picture, folder), PICTURES))
        return (*pictures, film.result())


def _write_picture(folder: Path, picture: Picture) -> MediumTruth:
    still = paint(picture.scene, wardrobe())
    Pictures.fromarray(still.image).save(folder / picture.filename, quality=picture.quality)
    width, height = picture.scene.width, picture.scene.height
    whole = View(0, 0, width, height)
    shot = Shot(0, 0, still.garments, whole, whole)
    return MediumTruth(picture.filename, width, height, (shot,))


def _write_film(path: Path) -> MediumTruth:
    reels: list[Reel] = []
    start = 0
    for take in TAKES:
        still = paint(take.scene, wardrobe())
        shot = Shot(start, start + take.length_ms, still.garments, *take.views())
        reels.append(Reel(still.image, shot))
        start = shot.end_ms
    write_film(path, reels, _FILM_WIDTH, _FILM_HEIGHT)
    return MediumTruth(path.name, _FILM_WIDTH, _FILM_HEIGHT, tuple(reel.shot for reel in reels))
