"""What passes between a process and its child: a JSON header, and raw buffers behind it.

On the wire a message is the header's length (4 bytes, big endian), the header, and its buffers one
after the other; the header's ``buffers`` lists their sizes in bytes. Both ends read and write it
with this module, and neither takes a size on trust: what exceeds the bounds is refused before
memory is set aside for it. Nothing that is read is ever run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeGuard

Buffer = bytes | bytearray | memoryview

_LENGTH = struct.Struct(">I")


class Bounds(NamedTuple):
    """The most bytes that a header, and all buffers of one message together, may have."""

    header: int
    buffers: int


class Message(NamedTuple):
    fields: dict[str, Any]
    buffers: list[Buffer]


class Answer(NamedTuple):
    """What a child gives for a call: a value that JSON can hold, and raw buffers."""

    value: Any = None
    buffers: Sequence[Buffer] = ()


class NonsenseError(Exception):
    """What arrived is no message, or none that was expected; the message says why."""


class UnsendableError(ValueError):
    """JSON cannot hold what was to be sent, or it exceeds the bounds."""


def pack(fields: Mapping[str, Any], buffers: Iterable[Buffer], bounds: Bounds) -> list[Buffer]:
    """The message in pieces, to be written in this order. Raises UnsendableError."""
    bodies = list(buffers)
    sizes = [memoryview(body).nbytes for body in bodies]
    try:
        header = _ENCODER.encode({**fields, "buffers": sizes}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsendableError(str(error)) from error
    if len(header) > bounds.header or sum(sizes) > bounds.buffers:
        raise UnsendableError(
            f"{len(header)} and {sum(sizes)} bytes are too much for one message, "
            f"which may have {bounds.header} and {bounds.buffers}"
        )
    return [_LENGTH.pack(len(header)) + header, *bodies]


def unpack(bounds: Bounds) -> Generator[int, Buffer, Message]:
    """Reads one message, whatever it comes from: yields how many bytes it needs next, is sent
    them, and returns the message. Raises NonsenseError."""
    (length,) = _LENGTH.unpack((yield _LENGTH.size))
    if length > bounds.header:
        raise NonsenseError(f"a header of {length} bytes")
    fields = _parsed((yield length))
    buffers = []
    for size in _sizes(fields.pop("buffers", None), bounds):
        buffers.append((yield size))  # noqa: PERF401 a comprehension cannot yield
    return Message(fields, buffers)


def is_count(value: object) -> TypeGuard[int]:
    """Whether it is a whole number from 0; JSON's ``true`` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parsed(header: Buffer) -> dict[str, Any]:
    try:
        fields = _DECODER.decode(str(header, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise NonsenseError(f"a header that is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise NonsenseError("a header that is no object")
    return fields


def _sizes(sizes: object, bounds: Bounds) -> list[int]:
    if not isinstance(sizes, list) or not all(map(is_count, sizes)) or sum(sizes) > bounds.buffers:
        raise NonsenseError(f"buffers of sizes {str(sizes)[:100]}")
    return sizes


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_refuse)
