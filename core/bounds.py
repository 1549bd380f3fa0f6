"""What an event may be made of: the bounds that its reader checks before it believes anything.

Whoever reaches the log can write any bytes into it, and what a stage takes from there becomes keys
of stores, headers of other records, and lines on a terminal. So the reader takes no more than our
own writer makes: text that is valid Unicode without control characters, keys of one segment, JSON
of bounded size and depth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.errors import SchemaError

MOST_BYTES = 64 << 20
"""Bytes of one event's data, in a record or beside it."""
MOST_DEPTH = 100
"""JSON inside JSON. Models are read to a depth of 200, and what one event says goes into others."""

_MOST_ATTRIBUTES = 64
_MOST_HEADERS = 20
_MOST_NAME = 64
_MOST_TEXT = 2_048
_MOST_TEXT_IN_ALL = 16_384
_MOST_KEY_BYTES = 160

_SEGMENTS = ("ce_subject", "ce_root", "ce_pipeline")
_DATA = frozenset({"ce_data", "ce_data_base64"})
_REFUSED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def is_attribute(header: str) -> bool:
    """Whether a header holds an attribute of the event, and not its data or another's word."""
    return (header.startswith("ce_") and header not in _DATA) or header == "traceparent"


def check_attributes(headers: Mapping[str, Any], segments: bool = True) -> None:
    """Raises SchemaError for the first attribute that is not text within its bounds.

    Args:
        segments: whether those that become segments of keys are held to that.
    """
    if not _plain(headers):
        attributes = {name: text for name, text in headers.items() if is_attribute(name)}
        if len(attributes) > _MOST_ATTRIBUTES:
            raise SchemaError(f"more than {_MOST_ATTRIBUTES} CloudEvents attributes")
        for name, text in attributes.items():
            check_attribute(name, text, segments)
        # What is inherited by every event that comes of this one has to fit beside its data.
        if (length := sum(map(len, attributes.values()))) > _MOST_TEXT_IN_ALL:
            raise SchemaError(f"CloudEvents attributes of {length} characters")
    elif segments and not _plain_segments(headers):
        _check_segments(headers)


def check_attribute(header: str, text: object, segments: bool = True) -> None:
    """Raises SchemaError unless the text may stand in this header."""
    name = header.removeprefix("ce_")
    if len(name) > _MOST_NAME or not (name.isascii() and name.isprintable()):
        raise SchemaError(f"CloudEvents attribute {name[:_MOST_NAME]!a} has no proper name")
    if not isinstance(text, str):
        raise SchemaError(f"CloudEvents attribute '{name}' is not text")
    if len(text) > _MOST_TEXT:
        raise SchemaError(f"CloudEvents attribute '{name}' has {len(text)} characters")
    if (found := _REFUSED.search(text)) is not None:
        raise SchemaError(f"CloudEvents attribute '{name}' holds the character {found[0]!a}")
    if segments:
        _check_segments({header: text})


def check_json(body: bytes) -> None:
    """Raises SchemaError for JSON that is too large, or too deep, to be parsed."""
    if len(body) > MOST_BYTES:
        raise SchemaError(f"data of {len(body)} bytes; an event holds at most {MOST_BYTES}")
    # Most data has fewer brackets than the depth that is allowed.
    if body.count(b"{") + body.count(b"[") > MOST_DEPTH and _depth(body) > MOST_DEPTH:
        raise SchemaError(f"JSON is nested deeper than {MOST_DEPTH}")


def _plain(headers: Mapping[str, Any]) -> bool:
    """Whether nothing in any header needs a closer look; this is asked of every event."""
    try:
        text = "".join(headers.values())
    except TypeError:
        return False
    return (
        len(text) <= _MOST_TEXT
        and len(headers) <= _MOST_HEADERS
        and text.isascii()
        and text.isprintable()
    )


def _plain_segments(headers: Mapping[str, str]) -> bool:
    """The same of what becomes keys."""
    subject, frame = headers.get("ce_subject", "-"), headers.get("ce_frame", "-")
    root, pipeline = headers.get("ce_root", "-"), headers.get("ce_pipeline", "-")
    keys = f"/{subject}/{root}/{pipeline}/{frame}/"
    return (
        len(keys) <= _MOST_KEY_BYTES
        and "//" not in keys
        and "/." not in keys
        and "\\" not in keys
        and keys.count("/") == 5 + frame.count("/")
    )


def _check_segments(headers: Mapping[str, str]) -> None:
    for name in _SEGMENTS:
        if text := headers.get(name):
            _check_segment(name, text)
    if (frame := headers.get("ce_frame")) is not None:
        _check_frame(frame)


def _check_frame(frame: str) -> None:
    for segment in frame.split("/"):
        _check_segment("ce_frame", segment)


def _check_segment(header: str, text: str) -> None:
    """It becomes a segment of keys, in the state store and in the blob store."""
    if not text or "/" in text or "\\" in text or text.startswith("."):
        name = header.removeprefix("ce_")
        raise SchemaError(f"CloudEvents attribute '{name}' is no segment of a key: {text[:64]!a}")
    if len(text) * 4 > _MOST_KEY_BYTES and len(text.encode()) > _MOST_KEY_BYTES:
        name = header.removeprefix("ce_")
        raise SchemaError(f"CloudEvents attribute '{name}' is longer than {_MOST_KEY_BYTES} bytes")


def _depth(body: bytes) -> int:
    """How deep brackets stand in brackets, those in strings aside; stops when it is too deep."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(body):
        token = body[found.start()]
        if token in b"[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > MOST_DEPTH:
                    break
        elif token in b"]}":
            depth -= 1
    return deepest
