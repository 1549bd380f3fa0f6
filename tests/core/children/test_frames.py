"""Messages on the wire: what is written is read again, and nothing is taken on trust."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.children import faults
from core.children.faults import ExhaustedError
from core.children.frames import Bounds, Message, NonsenseError, UnsendableError, pack, unpack
from core.errors import CollectionMissingError, UndecodableError

BOUNDS = Bounds(1000, 100)

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def read(wire: bytes, bounds: Bounds = BOUNDS) -> Message | None:
    """The message; None if the wire ends before it does."""
    message = unpack(bounds)
    needed, at = next(message), 0
    try:
        while at + needed <= len(wire):
            at += needed
            needed = message.send(wire[at - needed : at])
    except StopIteration as done:
        assert at == len(wire)
        complete: Message = done.value
        return complete
    return None


def wire(header: str | bytes, buffers: bytes = b"") -> bytes:
    body = header.encode() if isinstance(header, str) else header
    return struct.pack(">I", len(body)) + body + buffers


@given(value=_JSON, buffers=st.lists(st.binary(max_size=50), max_size=4))
def test_what_is_written_is_read(value: Any, buffers: list[bytes]) -> None:
    bounds = Bounds(1 << 20, 200)

    written = b"".join(bytes(piece) for piece in pack({"value": value}, buffers, bounds))

    assert read(written, bounds) == Message({"value": value}, list(buffers))
    assert all(read(written[:end], bounds) is None for end in (0, 3, len(written) - 1))


def test_buffers_are_sized_in_bytes_whatever_they_hold() -> None:
    numbers = memoryview(struct.pack("4f", 1, 2, 3, 4)).cast("f")

    written = b"".join(bytes(piece) for piece in pack({}, [numbers, b""], BOUNDS))

    assert read(written) == Message({}, [bytes(numbers), b""])


def test_names_of_files_that_are_no_text_travel() -> None:
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")

    written = b"".join(bytes(piece) for piece in pack({"path": name}, (), BOUNDS))

    assert read(written) == Message({"path": name}, [])


@pytest.mark.parametrize(
    ("fields", "buffers"),
    [
        ({"x": "a" * 1000}, []),
        ({}, [b"a" * 60, b"a" * 60]),
        ({"x": {1, 2}}, []),
        ({"x": float("nan")}, []),
        ({"x": float("inf")}, []),
        ({("a",): 1}, []),
    ],
)
def test_what_cannot_travel_is_not_sent(fields: dict[Any, Any], buffers: list[bytes]) -> None:
    with pytest.raises(UnsendableError):
        pack(fields, buffers, BOUNDS)


def test_what_is_nested_without_end_is_not_sent() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]

    with pytest.raises(UnsendableError):
        pack({"x": nested}, (), BOUNDS)


def sized(*sizes: Any) -> bytes:
    return wire(json.dumps({"buffers": sizes}))


@pytest.mark.parametrize(
    "wire",
    [
        b"\xff\xff\xff\xff",
        struct.pack(">I", 1001),
        *(wire("{"), wire(""), wire(b"\xff"), wire("[]"), wire("7"), wire("{}")),
        *(wire('{"buffers": 1}'), wire('{"buffers": [], "x": NaN}')),
        wire("[" * 999),
        *(sized(-1), sized(1.0), sized("1"), sized(True), sized(None), sized([1])),
        *(sized(101), sized(60, 60), sized(1 << 80)),
    ],
)
def test_nonsense_is_refused_before_memory_is_set_aside(wire: bytes) -> None:
    with pytest.raises(NonsenseError):
        read(wire)


@pytest.mark.parametrize(
    "error",
    [
        UndecodableError("no picture"),
        CollectionMissingError("no 'items'"),
        ValueError("a vector of 3"),
        ExhaustedError("too much"),
        FileNotFoundError(2, "No such file or directory", "/a"),
        OSError(28, "No space left on device"),
    ],
)
def test_errors_travel_as_data(error: Exception) -> None:
    raised = faults.from_data(json.loads(json.dumps(faults.to_data(error))))

    assert (type(raised), str(raised)) == (type(error), str(error))


def test_an_error_of_no_known_class_is_one_of_the_run_time() -> None:
    raised = faults.from_data(faults.to_data(KeyError("x")))

    assert (type(raised), str(raised)) == (RuntimeError, "KeyError: 'x'")


def test_an_error_of_a_known_kind_travels_as_its_kind() -> None:
    raised = faults.from_data(faults.to_data(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")))

    assert type(raised) is ValueError


@pytest.mark.parametrize(
    "data",
    [
        {"error": "SystemExit", "message": "0"},
        {"error": "os.system", "message": "ls"},
        {"error": ["ValueError"], "message": "x"},
        {"error": "ValueError", "message": 7},
        {"error": "ValueError"},
        {"error": "OSError", "message": "x"},
        {"error": "OSError", "message": "x", "errno": "2"},
        {"error": "OSError", "message": "x", "errno": 2, "file": 7},
        {},
    ],
)
def test_an_error_of_no_sense_is_nonsense(data: dict[str, Any]) -> None:
    with pytest.raises(NonsenseError):
        faults.from_data(data)
