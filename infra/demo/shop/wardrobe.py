"""Every product of the demo, drawn once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MappingProxyType

from infra.demo.drawing.draw import Sprite, draw
from infra.demo.shop.products import CATALOG

THREADS = 2
"""Drawing runs outside the interpreter's lock most of the time."""


@cache
def wardrobe() -> Mapping[str, Sprite]:
    """Product id to drawing, about 3 MB each; kept, as catalog and media both need them."""
    with ThreadPoolExecutor(THREADS) as pool:
        drawings = pool.map(lambda item: draw(item.garment()), CATALOG)
        return MappingProxyType(dict(zip((item.id for item in CATALOG), drawings, strict=True)))
