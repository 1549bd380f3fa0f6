"""The keys of blobs: which kind of blob lies where, and what a key may look like. They are the same
for every store, so that blobs can move between them.

The keys of results are made in ``core.results.keys``.
"""

from __future__ import annotations

import re

from core.errors import InvalidKeyError
from core.ids import frame_id

# S3 takes keys of 1024 bytes; file systems take names of 255, of which the folder store needs a
# few for its own.
_MAX_KEY_BYTES = 1024
_MAX_SEGMENT_BYTES = 240
_HASH = re.compile(r"/([0-9a-f]{64})\.json\Z")
_REFUSED = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


def original_key(content_hash: str, suffix: str) -> str:
    """Of a medium as it came: ``media/ab/abcdef....jpg``; equal bytes have one key a ``suffix``."""
    return f"media/{content_hash[:2]}/{content_hash}{suffix.lower()}"


def frame_key(pipeline: str, media_id: str, time_ms: int) -> str:
    """Of an extracted frame: ``frames/PIPELINE/MEDIA/000012345.jpg``."""
    return f"frames/{pipeline}/{frame_id(media_id, time_ms)}.jpg"


def crops_prefix(pipeline: str, frame: str) -> str:
    """Of all crops of a ``frame`` (its id): ``crops/PIPELINE/MEDIA/000012345/``."""
    return f"crops/{pipeline}/{frame}/"


def crop_key(prefix: str, ordinal: int) -> str:
    """Of a frame's item by its number: ``000.png`` below the frame's ``prefix``."""
    return f"{prefix}{ordinal:03d}.png"


def masked_key(prefix: str, ordinal: int) -> str:
    """Of the same crop without its background: ``000-masked.png``."""
    return f"{prefix}{ordinal:03d}-masked.png"


def data_key(topic: str, content_hash: str) -> str:
    """Of an event's data that is too large for its topic: ``data/TOPIC/abcdef....json``."""
    return f"data/{topic}/{content_hash}.json"


def data_hash(key: str, topic: str) -> str | None:
    """The content hash in a key that :func:`data_key` made for this topic; None for any other."""
    found = _HASH.search(key)
    return found[1] if found and key == data_key(topic, found[1]) else None


def check_key(key: str) -> str:
    """The key itself; raises InvalidKeyError.

    1 to 1024 bytes of UTF-8 in segments of 1 to 240 bytes joined by ``/``. No segment starts with
    a dot (so none is ``.`` or ``..``), none holds a control character or a backslash.
    """
    segments = key.split("/")
    if not all(segments):
        raise InvalidKeyError(f"blob key {key!r} is empty, absolute, or has an empty segment")
    _check_segments(key, segments)
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself: the start of a valid key, or nothing; raises InvalidKeyError."""
    *folders, start = prefix.split("/")
    if not all(folders):
        raise InvalidKeyError(f"blob prefix {prefix!r} is absolute or has an empty segment")
    _check_segments(prefix, [*folders, start])
    return prefix


def _check_segments(key: str, segments: list[str]) -> None:
    if any(segment.startswith(".") for segment in segments):
        raise InvalidKeyError(f"blob key {key!r} has a segment that starts with a dot")
    if _REFUSED.search(key):
        raise InvalidKeyError(f"blob key {key!r} holds a control character or a backslash")
    if len(key.encode()) > _MAX_KEY_BYTES:
        raise InvalidKeyError(f"blob key {key[:80]!r}... is longer than {_MAX_KEY_BYTES} bytes")
    if any(len(segment.encode()) > _MAX_SEGMENT_BYTES for segment in segments):
        raise InvalidKeyError(
            f"blob key {key[:80]!r}... has a segment longer than {_MAX_SEGMENT_BYTES} bytes"
        )
