"""The demo's catalog as files: one folder a product, as ``catalog add`` reads them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image as Pictures

from infra.demo.drawing.scene import Light, Placed, Scene, paint
from infra.demo.drawing.surfaces import paper
from infra.demo.shop.products import CATALOG, Item
from infra.demo.shop.wardrobe import THREADS, wardrobe

_WIDTH, _HEIGHT = 720, 840
_BACKDROP = paper((214, 218, 222))
_STUDIO = Light(exposure=1.0, fall=0.02, noise=0.8, shadow=0.32)


def write_catalog(folder: Path) -> tuple[str, ...]:
    """Writes ``product_<id>/<id>_000.jpg`` and ``product_info.json``; gives the product ids."""
    wardrobe()  # before the threads below, so that it is drawn once
    with ThreadPoolExecutor(THREADS) as pool:
        return tuple(pool.map(partial(_write_product, folder), CATALOG))


def _write_product(folder: Path, item: Item) -> str:
    home = folder / f"product_{item.id}"
    home.mkdir(parents=True, exist_ok=True)
    placed = (Placed(item.id, 0.5, 0.5, 0.8),)
    scene = Scene(_WIDTH, _HEIGHT, _BACKDROP, placed, _STUDIO, seed=int(item.id))
    picture = Pictures.fromarray(paint(scene, wardrobe()).image)
    picture.save(home / f"{item.id}_000.jpg", quality=92)
    info = json.dumps(item.info(), indent=2, ensure_ascii=False)
    (home / "product_info.json").write_text(info + "\n", encoding="utf-8")
    return item.id
