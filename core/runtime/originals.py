"""What a dead letter keeps of its original, whose bytes may be anything.

A log hands out headers and keys as text. Where their bytes are no UTF-8 they come with lone
surrogates (PEP 383), which no store and no JSON takes: the dead letter then has them written out
for people, and as they were for a redrive. What is too large for a record lies in a blob.
"""

from __future__ import annotations

import base64
import binascii

from pydantic import BaseModel, ValidationError

from core.blobs.keys import data_key
from core.blobs.port import Blob, BlobStore
from core.errors import BlobMissingError
from core.events import DeadLetter
from core.ids import content_hash
from core.log.port import Message, Record

_KEY = ""
# Written out and quoted, headers take up to six times the room; Kafka takes 1 MB by default.
_MOST_INLINE = 850_000
_MOST_HEADERS = 16_000
_BLOBS = data_key(DeadLetter.topic, "").removesuffix(".json")


class _Original(BaseModel):
    """A whole record: texts as they can be written, ``raw`` and ``value`` in base64."""

    key: str | None
    headers: dict[str, str]
    raw: dict[str, str]
    value: str | None


def written_out(text: str) -> str:
    """The text as anything takes it."""
    return text.encode(errors="backslashreplace").decode()


def fits(record: Record) -> bool:
    """Whether its dead letter is a record that every log takes."""
    headers = sum(_length(name) + _length(text) for name, text in record.headers.items())
    headers += _length(record.key or "")
    return headers <= _MOST_HEADERS and len(record.value or b"") + headers <= _MOST_INLINE


def headers_of(record: Record) -> dict[str, str]:
    """Its headers, for people."""
    return {written_out(name): written_out(text) for name, text in record.headers.items()}


def raw_of(record: Record) -> dict[str, str]:
    """Its headers and, by the name ``""``, its key where their bytes are no text; base64."""
    texts = {**record.headers, _KEY: record.key or ""}
    return {written_out(name): _raw(text) for name, text in texts.items() if not _is_text(text)}


def blob_of(record: Record) -> Blob:
    """The whole record."""
    original = _Original(
        key=None if record.key is None else written_out(record.key),
        headers=headers_of(record),
        raw=raw_of(record),
        value=None if record.value is None else base64.b64encode(record.value).decode(),
    )
    data = original.model_dump_json().encode()
    return Blob(data_key(DeadLetter.topic, content_hash(data)), data, "application/json")


async def original_of(letter: DeadLetter, value: bytes | None, blobs: BlobStore | None) -> Message:
    """The record that was given up, as it was.

    Args:
        value: of the dead letter's record.
        blobs: where a large original lies; None where that is not at hand.

    Raises:
        BlobMissingError: it lies in a blob that is gone, damaged, or not at hand.
    """
    key, headers, raw = letter.origin_key, letter.origin_headers, letter.origin_bytes
    if letter.origin_blob is not None:
        original = await _stored(letter.origin_blob, blobs)
        key, headers, raw = original.key, original.headers, original.raw
        value = None if original.value is None else _bytes(original.value)
    restored = {name: _bytes(text).decode(errors="surrogateescape") for name, text in raw.items()}
    key = restored.pop(_KEY, key)
    return Message(letter.origin_topic, key, value, {**headers, **restored})


async def _stored(key: str, blobs: BlobStore | None) -> _Original:
    if blobs is None or not key.startswith(_BLOBS):
        raise BlobMissingError(f"the original is in the blob {key!a}, which is not looked into")
    try:
        return _Original.model_validate_json(await blobs.get(key))
    except ValidationError as error:
        raise BlobMissingError(f"the original in the blob {key} is damaged") from error


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text) * 4


def _is_text(text: str) -> bool:
    return text.isascii() or written_out(text) == text


def _raw(text: str) -> str:
    try:
        return base64.b64encode(text.encode(errors="surrogateescape")).decode()
    except UnicodeEncodeError:  # no log's bytes decode to these
        return base64.b64encode(written_out(text).encode()).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BlobMissingError(f"the original is damaged: {error}") from error
