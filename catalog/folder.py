"""Product folders: pictures of a product, and what the shop says about it.

A folder is a product's if it is called ``product_<id>`` or holds a ``product_info.json``, whose
keys are those of the shop's export. Pictures are the files directly in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.events import Product
from core.media.probe import kind_of

INFO = "product_info.json"

_PREFIX = "product_"
_RENAMED = {
    "price_display_amount": "price",
    "product_tags": "tags",
    "product_collections": "collections",
}
_OURS = frozenset({"id", "product_id", "name"})
_TEXTS = frozenset(Product.model_fields) - _OURS


@dataclass(frozen=True, slots=True)
class ProductPicture:
    """A picture of a product."""

    path: Path
    product: Product


@dataclass(slots=True)
class ProductFolders:
    """What was found below a folder.

    Attributes:
        products: how many products have pictures.
        pictures: of all products, by path.
        problems: files that could not be read, with the reason; their products are left out.
        ignored: files that are no picture, by extension.
    """

    products: int = 0
    pictures: list[ProductPicture] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def read_product_folders(root: Path) -> ProductFolders:
    """All products in ``root`` and below, or ``root`` itself if it is one; blocks."""
    found = ProductFolders()
    for folder in _product_folders(root.absolute(), found):
        try:
            product = _product(folder)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            found.problems.append((folder / INFO, reason or "cannot be read"))
            continue
        pictures = [path for path in _files(folder) if kind_of(path) == "picture"]
        found.products += bool(pictures)
        found.pictures += [ProductPicture(path, product) for path in pictures]
        found.ignored.update(
            path.suffix.lower()
            for path in _files(folder)
            if kind_of(path) != "picture" and not path.name.startswith("product_info.")
        )
    return found


def _product_folders(folder: Path, found: ProductFolders) -> Iterator[Path]:
    """In order of their names; what lies inside a product's folder belongs to no other."""
    if _is_product(folder):
        yield folder
        return
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        found.problems.append((folder, error.strerror or "cannot be read"))
        return
    for path in inside:
        if path.is_dir() and not path.is_symlink():
            yield from _product_folders(path, found)


def _is_product(folder: Path) -> bool:
    return _id_in_name(folder) != "" or (folder / INFO).is_file()


def _id_in_name(folder: Path) -> str:
    return folder.name.removeprefix(_PREFIX) if folder.name.startswith(_PREFIX) else ""


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )


def _product(folder: Path) -> Product:
    """Raises OSError or ValueError where there is an info file and it cannot be read."""
    info: Mapping[str, Any] = {}
    if (folder / INFO).exists():
        try:
            info = json.loads((folder / INFO).read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
        if not isinstance(info, dict):
            raise ValueError("is JSON, but no object")
    identity = info.get("product_id") or info.get("id") or _id_in_name(folder) or folder.name
    known: dict[str, Any] = {}
    for key, value in info.items():
        name = _RENAMED.get(key, key)
        if name not in _OURS:
            known[name] = _text(value) if name in _TEXTS else value
    return Product(**known, id=str(identity), name=folder.name)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value)
    return str(value)
