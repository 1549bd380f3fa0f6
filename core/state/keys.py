"""What a key of the state store looks like, the same in every adapter."""

from __future__ import annotations

from core.errors import InvalidKeyError


def check_key(key: str) -> None:
    """Raises InvalidKeyError unless the key is ``/``-separated text that climbs nowhere."""
    if not key or any(segment in ("", ".", "..") for segment in key.split("/")):
        raise InvalidKeyError(f"{key!r} is no key: its segments may not be empty, '.' or '..'")
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise InvalidKeyError(f"{key!r} is no key: it is not valid Unicode") from error
