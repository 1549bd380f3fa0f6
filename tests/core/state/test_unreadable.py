"""Values that cannot be read are gone by, noted for as long as they are there, and dropped."""

from __future__ import annotations

import json

from core.errors import SchemaError
from core.state.unreadable import drop, readable, unreadable
from tests.memory_state import MemoryStateStore

KEY = "part/m/r/p/medium/framed/3"


def parse(value: bytes) -> object:
    found = json.loads(value)
    if found == "foreign":
        raise SchemaError("it is of \ud800 another")
    return found


async def read(state: MemoryStateStore) -> object | None:
    return await readable(state, KEY, state.values[KEY], parse)


async def test_what_can_be_read_leaves_no_note() -> None:
    state = MemoryStateStore({KEY: b"[1]"})

    assert await read(state) == [1]
    assert await unreadable(state) == []


async def test_what_cannot_be_read_stays_and_is_named_with_its_reason() -> None:
    state = MemoryStateStore({KEY: b'"foreign"', "other": b"1"})

    assert await read(state) is None
    assert await read(state) is None

    (found,) = await unreadable(state)
    assert (found.key, found.value) == (KEY, b'"foreign"')
    assert "another" in found.reason
    assert state.values[KEY] == b'"foreign"'


async def test_a_value_that_was_written_anew_is_not_named_any_more() -> None:
    state = MemoryStateStore({KEY: b"\xff"})
    await read(state)

    await state.put([(KEY, b"1")])

    assert await unreadable(state) == []
    assert list(state.values) == [KEY]


async def test_dropping_removes_the_value_and_its_note() -> None:
    state = MemoryStateStore({KEY: b"\xff"})
    await read(state)

    await drop(state, await unreadable(state))

    assert state.values == {}


async def test_a_note_may_be_damaged_itself() -> None:
    state = MemoryStateStore({KEY: b"\xff"})
    await read(state)
    (note,) = [key for key in state.values if key != KEY]
    await state.put([(note, b"\xff")])

    assert [found.key for found in await unreadable(state)] == [KEY]
    assert await read(state) is None
