"""What a blob key may look like, the same for every store, so that blobs can move between them."""

from __future__ import annotations

import re

from core.errors import InvalidKeyError

# S3 takes keys of 1024 bytes; file systems take names of 255, of which the folder store needs a
# few for its own.
_MAX_KEY_BYTES = 1024
_MAX_SEGMENT_BYTES = 240
_REFUSED = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")


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
