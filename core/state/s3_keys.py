"""How a state key becomes the name of an object, and what to list for a prefix of keys.

A key's segments stay what they are, readable in any bucket browser, with three rules on top:

``open/2/m1``  -> ``open/2/m1=``       A value's name ends in ``=``, which no folder's does. Stores
                                       with folders below them (MinIO) lose what lies under the
                                       name of an object, and here both ``a`` and ``a/b`` are keys.
``a b/ü``      -> ``a%20b/%C3%BC=``    Percent-encoding (RFC 3986) for all but letters, digits and
                                       ``_ - ~ .``, and for a dot that begins a segment.
over 200       -> ``xxx...%/%xxx=``    A long segment goes on in a folder, from ``%`` to ``%``: file
                                       systems take names of 255 bytes.

Each character is encoded by itself, so the start of a key gives the start of its name. The order of
names is not the order of keys.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from core.errors import InvalidKeyError
from core.state.keys import check_key

_VALUE = "="
_GOES_ON = "%/%"
_PIECE = 200
_MAX_NAME_BYTES = 1024


def object_name(key: str, root: str) -> str:
    """The object of a key, below ``root``; raises InvalidKeyError."""
    check_key(key)
    name = root + _path(key) + _VALUE
    if len(name) > _MAX_NAME_BYTES:
        raise InvalidKeyError(
            f"{key[:80]!r}... is too long a key: S3 takes names of {_MAX_NAME_BYTES} bytes,"
            f" and its name has {len(name)}"
        )
    return name


def name_prefix(prefix: str, root: str) -> str | None:
    """What the names of all keys that start with ``prefix`` start with; None if no key does."""
    *folders, _ = prefix.split("/")
    if any(folder in ("", ".", "..") for folder in folders):
        return None
    try:
        name = root + _path(prefix)
    except UnicodeEncodeError:
        return None
    return name if len(name) < _MAX_NAME_BYTES else None


def key_of(name: str, root: str) -> str | None:
    """The key of an object; None if the object is not a value of ours."""
    if not name.endswith(_VALUE):
        return None
    return unquote(name.removeprefix(root).removesuffix(_VALUE).replace(_GOES_ON, ""))


def _path(key: str) -> str:
    return "/".join(_folded(_encoded(segment)) for segment in key.split("/"))


def _encoded(segment: str) -> str:
    encoded = quote(segment, safe="")
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


def _folded(segment: str) -> str:
    pieces = [segment[start : start + _PIECE] for start in range(0, len(segment), _PIECE)]
    return _GOES_ON.join(pieces)
