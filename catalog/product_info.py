"""What a shop says of a product: its ``product_info.json``, whose keys are those of the export.

It is read strictly. What goes in travels through every event and store, and what one of them
could not carry would stop there, far from the file that it came from.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.events import Product

INFO = "product_info.json"

_PREFIX = "product_"
_RENAMED = {
    "price_display_amount": "price",
    "product_tags": "tags",
    "product_collections": "collections",
}
_OURS = frozenset({"id", "product_id", "name"})
_TEXTS = frozenset(Product.model_fields) - _OURS
_DEEPEST = 64
"""Levels of lists and objects. Parsers of JSON give up at some depth, from a few hundred on."""


def id_in_name(folder: Path) -> str:
    """The id in the name of a folder ``product_<id>``, else nothing."""
    return folder.name.removeprefix(_PREFIX) if folder.name.startswith(_PREFIX) else ""


def read_product(folder: Path) -> Product:
    """The product whose folder this is; blocks.

    Raises:
        OSError: there is an info file, and it cannot be read.
        ValueError: it says nothing that can be used; the message says what to mend.
    """
    info = _info(folder / INFO) if os.path.lexists(folder / INFO) else {}
    known: dict[str, Any] = {}
    wrong: list[str] = []
    # A shop's own column goes before one that only happens to be called like ours.
    for key in sorted(info, key=lambda key: key in _RENAMED):
        name = _RENAMED.get(key, key)
        if name in _TEXTS:
            try:
                known[name] = _text(key, info[key]) or known.get(name, "")
            except ValueError as error:
                wrong.append(str(error))
        elif name not in _OURS:
            known[name] = info[key]
    if wrong:
        raise ValueError("; ".join(wrong))
    return Product(**known, id=_identity(info, folder), name=folder.name)


def _info(path: Path) -> Mapping[str, Any]:
    # Opening a pipe or a device could block for ever.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("is not a regular file")
    data = path.read_bytes()
    if not data.strip():
        raise ValueError("is empty")
    encoding = json.detect_encoding(data)
    try:
        info = json.loads(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"is not {encoding.removesuffix('-sig').upper()} at byte {error.start}:"
            " save it as UTF-8"
        ) from None
    except RecursionError:
        raise ValueError(_too_deep()) from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(info, dict):
        raise ValueError("is JSON, but no object")
    for where, value, depth in _values(info):
        _check(where, value, depth)
    return info


def _values(info: Mapping[str, Any]) -> Iterator[tuple[str, object, int]]:
    """Everything in it, keys included: where it stands, and how deep."""
    pending: list[tuple[str, object, int]] = [("", info, 0)]
    while pending:
        where, value, depth = pending.pop()
        yield where, value, depth
        if depth > _DEEPEST:
            continue
        if isinstance(value, dict):
            for key, inside in value.items():
                path = f"{where}.{key}" if where else key
                yield path, key, depth
                pending.append((path, inside, depth + 1))
        elif isinstance(value, list):
            pending += [(f"{where}.{n}", inside, depth + 1) for n, inside in enumerate(value)]


def _check(where: str, value: object, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(_too_deep())
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where}: JSON has no number {json.dumps(value)}; write null there")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = f"U+{ord(value[error.start]):04X}"
            # The place may be a key, with the same half in it.
            place = where.encode("utf-8", "backslashreplace").decode()
            raise ValueError(
                f"{place}: holds one half of a character ({half}) without the other, as text"
                " does that was cut: write it whole, or without"
            ) from None


def _too_deep() -> str:
    return f"nests lists and objects deeper than {_DEEPEST} levels"


def _identity(info: Mapping[str, Any], folder: Path) -> str:
    """Its id, if there is one; 0 is one. Else the folder's."""
    for key in ("product_id", "id"):
        value = info.get(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{key}: is {_called(value)}, and must be text or a number")
        return str(value)
    return id_in_name(folder) or folder.name


def _text(key: str, value: object) -> str:
    """What the shop says under a key that is text to us; lists are joined."""
    parts = value if isinstance(value, list) else [value]
    for part in parts:
        if isinstance(part, bool | list | dict):
            inside = "holds" if isinstance(value, list) else "is"
            raise ValueError(
                f"{key}: {inside} {_called(part)}, and must be text or a number, or a list of these"
            )
    return ", ".join("" if part is None else str(part) for part in parts)


def _called(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a list" if isinstance(value, list) else "an object"
