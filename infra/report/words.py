"""Numbers and states as a reader wants them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

_TONES: Final = {
    "topwear": "blue",
    "outerwear": "violet",
    "bottomwear": "teal",
    "dress": "pink",
    "footwear": "orange",
    "headwear": "ochre",
    "headgear": "ochre",
    "bag": "green",
    "wristwear": "slate",
    "accessories": "plum",
}
_SPARE: Final = ("green", "slate", "plum", "brick")


def tone(category: str) -> str:
    """The colour class of a category: the known ones have their own, the others share four."""
    known = _TONES.get(category.lower())
    return known or _SPARE[zlib.crc32(category.lower().encode()) % len(_SPARE)]


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 item``, ``1,204 items``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """``0.934`` as ``93%``."""
    return f"{round(100 * share)}%"


def clock(milliseconds: int) -> str:
    """``83250`` as ``1:23.2``, with hours where there are any."""
    seconds, rest = divmod(max(milliseconds, 0), 1000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds % 60:02d}.{rest // 100}"


def listed(text: object, most: int) -> list[str]:
    """The first few entries of comma-separated text, or of a list."""
    raw: Iterable[object] = text if isinstance(text, list | tuple) else str(text or "").split(",")
    return [entry for part in raw if (entry := str(part).strip())][:most]


def key(number: int) -> str:
    """The class that ties an item's row to its box; the style sheet knows twelve of them."""
    return f"k{(number - 1) % 12 + 1}"
