"""What a place holds of kinds that are not read: said in words, and kept for who looks later."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import FormatError
from core.state.port import StateStore

_PREFIX = "left-out/"
_NAMED = 8  # extensions in one sentence
_LONGEST = 10


class LeftOut(BaseModel):
    """Of one place, as its last listing found it.

    Attributes:
        place: the uri of the watched folder or bucket.
        seen: whether there is anything in it that is read.
        ignored: files of other kinds, by extension.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    place: str
    seen: bool
    ignored: dict[str, int]


class LeftOutNote:
    """Writes it down whenever it changes."""

    def __init__(self, state: StateStore, producer: str, place: str) -> None:
        self._state = state
        self._key = f"{_PREFIX}{producer}/{hashlib.sha256(place.encode()).hexdigest()[:16]}"
        self._place = place
        self._kept: LeftOut | None = None

    async def keep(self, seen: bool, ignored: Mapping[str, int]) -> None:
        """Raises OutageError."""
        found = LeftOut(place=self._place, seen=seen, ignored=dict(ignored))
        if found != self._kept:
            await self._state.put([(self._key, found.model_dump_json().encode())])
            self._kept = found


async def left_out(state: StateStore) -> list[LeftOut]:
    """Of every place that was ever watched. Raises OutageError and FormatError."""
    found = []
    for key, value in await state.scan(_PREFIX):
        try:
            found.append(LeftOut.model_validate_json(value))
        except ValidationError as error:
            raise FormatError(f"{key} cannot be read: {error.errors()[0]['msg']}") from error
    return found


def in_words(ignored: Mapping[str, int]) -> str:
    """``12 .psd, 3 .txt, 1 without extension``, most first; odd and rare extensions are others."""
    counts: Counter[str] = Counter()
    for extension, count in ignored.items():
        plain = extension[1:].isascii() and extension[1:].isalnum() and len(extension) <= _LONGEST
        counts["without extension" if not extension else extension if plain else "others"] += count
    others = counts.pop("others", 0)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    others += sum(count for _, count in ranked[_NAMED:])
    named = [f"{count} {extension}" for extension, count in ranked[:_NAMED]]
    return ", ".join([*named, f"{others} others"] if others else named)
