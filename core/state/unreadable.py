"""Stored values that nobody can read: left where they are, noted once, and gone by as if absent.

What is damaged belongs to one medium, or to one file, and must stop nobody else. Its bytes stay:
a newer version may read them, a repeat of what they said overwrites them. The note tells people
that they are there, and holds for these very bytes only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from core import telemetry
from core.errors import TaggingError
from core.ids import content_hash
from core.state.port import StateStore

T = TypeVar("T")

_log = structlog.get_logger()

_NOTES = "unreadable/"
_REASON_LIMIT = 300


class _Note(BaseModel):
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that cannot be read: its key, why, and its bytes."""

    key: str
    reason: str
    value: bytes


async def readable(
    state: StateStore, key: str, value: bytes, parse: Callable[[bytes], T]
) -> T | None:
    """What ``parse`` makes of a stored value; None, and a note, where it raises ValueError or a
    TaggingError. Raises OutageError."""
    try:
        return parse(value)
    except (ValueError, TaggingError) as error:
        await _note(state, key, value, _first_words(error))
        return None


async def unreadable(state: StateStore) -> list[Unreadable]:
    """What was found unreadable and still is the same, by key; notes of other values go."""
    found, stale = [], []
    for name, text in await state.scan(_NOTES):
        key = name.removeprefix(_NOTES)
        value, note = await state.get(key), _read_note(text)
        if value is None or (note is not None and note.digest != content_hash(value)):
            stale.append(name)
        else:
            found.append(Unreadable(key, note.reason if note else "its note is damaged", value))
    if stale:
        await state.delete(stale)
    return found


async def drop(state: StateStore, chosen: Sequence[Unreadable]) -> None:
    """Removes values that cannot be read, and their notes."""
    if chosen:
        await state.delete([one.key for one in chosen])
        await state.delete([_NOTES + one.key for one in chosen])


async def _note(state: StateStore, key: str, value: bytes, reason: str) -> None:
    digest = content_hash(value)
    known = await state.get(_NOTES + key)
    if known is not None and (note := _read_note(known)) is not None and note.digest == digest:
        return
    await state.put(
        [(_NOTES + key, _Note(digest=digest, reason=reason).model_dump_json().encode())]
    )
    telemetry.UNREADABLE.labels(key.partition("/")[0]).inc()
    _log.error(
        "value_unreadable", key=key, reason=reason, goes_on="without it", next="tagger state list"
    )


def _read_note(text: bytes) -> _Note | None:
    try:
        return _Note.model_validate_json(text)
    except ValidationError:
        return None


def _first_words(error: Exception) -> str:
    """Never the value itself, which pydantic would quote."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        words = f"{where}: {first['msg']}"
    else:
        words = str(error)
    return words.encode(errors="backslashreplace").decode()[:_REASON_LIMIT]
