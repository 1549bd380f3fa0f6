"""What passes between the store and its engine process.

Plain data and no numpy: the engine's process is up in a tenth of a second without it, and a
command that waits for one picture has few seconds in all.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, NamedTuple

LENGTH = struct.Struct(">Q")
"""Before every message: its length in bytes. The message is a pickle of one of the below."""


class Spec(NamedTuple):
    """A collection, as ``CollectionSpec`` says."""

    name: str
    embedder: str
    dim: int
    indexed: tuple[str, ...]


class Record(NamedTuple):
    """A point; ``vector`` holds ``dim`` float32 in the host's byte order."""

    id: str
    vector: bytes
    payload: dict[str, Any]


class Found(NamedTuple):
    """A hit of a search."""

    id: str
    score: float
    payload: dict[str, Any]


class Where(NamedTuple):
    """A filter; without conditions it is everything."""

    must: dict[str, list[str]]
    must_not: dict[str, list[str]]


class Request(NamedTuple):
    """``call`` names a method of Engine."""

    number: int
    call: str
    arguments: tuple[Any, ...]


class Reply(NamedTuple):
    """To the request of that number: a value, or the error to raise."""

    number: int
    value: Any
    error: Exception | None = None


def pack(message: Request | Reply) -> bytes:
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def unpack_request(body: bytes) -> Request:
    message = pickle.loads(body)  # noqa: S301 the other end of the pipe is our own process
    assert isinstance(message, Request)
    return message


def unpack_reply(body: bytes) -> Reply:
    message = pickle.loads(body)  # noqa: S301
    assert isinstance(message, Reply)
    return message
