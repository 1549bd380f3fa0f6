"""Identity is derived, never drawn: equal input gives equal ids on every host and every retry."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

_NAMESPACE = uuid.UUID("6f2b1c0a-7d0e-5f7e-9a35-2f6e5a8c41d3").bytes
_CHUNK = 1 << 20


def content_hash(data: bytes) -> str:
    """SHA-256 of the bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def media_id(content: str, purpose: str, product_id: str | None, prompt: str | None) -> str:
    """32 hex digits: the same bytes with another purpose, product or prompt are another medium.

    ``prompt`` is None for the default prompt, so that a change of the default renames nothing.
    """
    parts = json.dumps([content, purpose, product_id, prompt], ensure_ascii=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def frame_id(media: str, time_ms: int) -> str:
    """``MEDIA/000012345``: presentation time in milliseconds; a picture's only frame is 0."""
    return f"{media}/{time_ms:09d}"


def item_id(frame: str, stage_version: str, ordinal: int) -> str:
    """UUIDv5; ordinals count a frame's items by box position."""
    return _uuid5("item", frame, stage_version, str(ordinal))


def point_id(item: str) -> str:
    """The vector store's id of an item: the item's own."""
    return item


def event_id(stage: str, event_type: str, parent: str, data: bytes) -> str:
    """UUIDv5 of an event's stage, type, parent and data: a retry gives the same id."""
    return _uuid5("event", stage, event_type, parent, hashlib.sha256(data).hexdigest())


def root_id(producer: str, uri: str, announcement: int, media: str) -> str:
    """UUIDv5: each announcement of a place is a root of its own, a repeated one is the same."""
    return _uuid5("root", producer, uri, str(announcement), media)


def tagged_id(media: str, revision: int, data: bytes) -> str:
    """ce_id of a ``media.tagged``: the same revision with the same content is the same event."""
    return _uuid5("tagged", media, str(revision), hashlib.sha256(data).hexdigest())


def _uuid5(*parts: str) -> str:
    """UUIDv5 (RFC 9562, section 5.5) in text; the library's costs three times as much, and every
    event needs one."""
    name = _NAMESPACE + "\n".join(parts).encode()
    digest = bytearray(hashlib.sha1(name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
