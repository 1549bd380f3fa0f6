"""What every state store promises."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidKeyError
from core.state.port import StateStore
from tests.contracts.adapters import STATES, StateAdapter

Open = Callable[[], Awaitable[StateStore]]

_ODD_KEYS = [
    "with space /+&?#=%2F",
    ".hidden/.../x.",
    "back\\slash:*|<>\"'",
    "line\nfeed\t\x01\x7f",
    "日本/Ünï🎽",
    "x" * 300 + "/y",
    "x" * 200 + "../y",
]

_segments = st.text("aZ0 _-.ü%日", min_size=1, max_size=4).filter(lambda s: s not in (".", ".."))
_keys = st.lists(_segments, min_size=1, max_size=3).map("/".join)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.tuples(_keys, st.binary(max_size=9)), max_size=5)),
        st.tuples(st.just("delete"), st.lists(_keys, max_size=3)),
    ),
    max_size=8,
)


async def test_what_was_put_is_got(state: StateStore) -> None:
    await state.put([("parts/m1/frame", b"\x00\xff"), ("parts/m1/empty", b"")])

    assert await state.get("parts/m1/frame") == b"\x00\xff"
    assert await state.get("parts/m1/empty") == b""
    assert await state.get("parts/m1") is None


async def test_the_last_value_of_a_key_stays(state: StateStore) -> None:
    await state.put([("k", b"1"), ("k", b"2")])
    await state.put([("k", b"3"), ("other", b"x"), ("k", b"4")])

    assert await state.get("k") == b"4"


async def test_deleting_removes_and_minds_no_missing_key(state: StateStore) -> None:
    await state.put([("a", b"1"), ("b", b"2")])

    await state.delete(["a", "never-there"])

    assert await state.keys("") == ["b"]
    assert await state.get("a") is None


async def test_keys_start_with_the_prefix_and_are_sorted(state: StateStore) -> None:
    await state.put([(key, b"1") for key in ("open/2/b", "open/10/a", "open", "opens", "open/2/a")])

    assert await state.keys("open/") == ["open/10/a", "open/2/a", "open/2/b"]
    assert await state.keys("open/2") == ["open/2/a", "open/2/b"]
    assert await state.keys("nothing") == []


async def test_a_prefix_covers_the_last_of_all_characters(state: StateStore) -> None:
    covered = ["p/a", "p/\U0010ffff", "p/\U0010ffff\U0010ffff"]
    await state.put([(key, b"") for key in (*covered, "p0", "q/a", "\U0010ffff/a")])

    assert await state.keys("p/") == covered
    assert await state.keys("\U0010ffff") == ["\U0010ffff/a"]
    assert sorted((await state.page("p/", 10))[0]) == covered


async def test_scan_gives_values_with_the_keys(state: StateStore) -> None:
    await state.put([("m/b", b"2"), ("m/a", b"1"), ("n", b"3")])

    assert await state.scan("m/") == [("m/a", b"1"), ("m/b", b"2")]


async def test_a_long_list_is_whole(state: StateStore) -> None:
    keys = [f"open/{n:05d}" for n in range(1203)]
    await state.put([(key, b"") for key in reversed(keys)])

    assert await state.keys("open/") == keys


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 50])
async def test_pages_give_each_key_once(state: StateStore, limit: int) -> None:
    keys = ["open/2/a b", "open/2/b", "open/2/b/c", "open/2/ü", "open/2/.x", "open/2/" + "y" * 210]
    await state.put([(key, b"1") for key in (*keys, "open/1/a", "open/20", "opens")])

    pages = await _pages(state, "open/2/", limit)

    assert sorted(key for page in pages for key in page) == sorted(keys)
    assert all(len(page) <= limit for page in pages)


async def test_a_page_goes_on_where_the_last_one_ended(state: StateStore) -> None:
    await state.put([(f"open/{n}", b"") for n in range(6)])
    first, after = await state.page("open/", 3)
    await state.delete(first)

    second, _ = await state.page("open/", 3, after)

    assert sorted(first + second) == [f"open/{n}" for n in range(6)]


async def test_there_is_a_page_of_nothing(state: StateStore) -> None:
    assert await state.page("nothing/", 3) == ([], None)


async def _pages(state: StateStore, prefix: str, limit: int) -> list[list[str]]:
    pages, after = [], None
    while True:
        page, after = await state.page(prefix, limit, after)
        pages.append(page)
        if after is None:
            return pages


async def test_large_values_come_back(state: StateStore) -> None:
    large = bytes(range(256)) * 3_900

    await state.put([("large", large)])

    assert await state.get("large") == large


async def test_values_outlive_a_restart(open_state: Open, state: StateStore) -> None:
    await state.put([("k", b"1")])
    await state.close()

    assert await (await open_state()).get("k") == b"1"


async def test_another_client_sees_what_was_put(open_state: Open, state: StateStore) -> None:
    other = await open_state()

    await state.put([("k", b"1")])

    assert await other.get("k") == b"1"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "a/../b", "a/."])
async def test_a_key_that_climbs_or_is_empty_is_refused(state: StateStore, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        await state.put([("good", b"1"), (key, b"1")])
    with pytest.raises(InvalidKeyError):
        await state.get(key)
    with pytest.raises(InvalidKeyError):
        await state.delete([key])

    assert await state.keys("") == []


@pytest.mark.parametrize("key", _ODD_KEYS)
async def test_odd_keys_are_kept_as_they_are(state: StateStore, key: str) -> None:
    await state.put([(key, b"odd"), (f"{key}/below", b"1"), ("plain", b"2")])

    assert await state.get(key) == b"odd"
    assert await state.scan(key) == [(key, b"odd"), (f"{key}/below", b"1")]
    assert await state.keys(key[:3]) == [key, f"{key}/below"]
    await state.delete([key])
    assert await state.keys(key[:1]) == [f"{key}/below"]


@pytest.mark.parametrize("adapter", STATES, ids=lambda adapter: adapter.name)
@settings(max_examples=20, deadline=None)
@given(steps=_steps, prefix=st.text("aZ0/", max_size=2))
def test_it_behaves_like_a_dictionary(
    adapter: StateAdapter, steps: list[tuple[str, list[object]]], prefix: str
) -> None:
    async def play(folder: Path) -> tuple[list[tuple[str, bytes]], list[str]]:
        store = await adapter.at(folder)()
        try:
            for verb, what in steps:
                await getattr(store, verb)(what)
            return await store.scan(""), await store.keys(prefix)
        finally:
            await store.close()

    model: dict[str, bytes] = {}
    for verb, what in steps:
        for item in what:
            if verb == "put":
                model.update([item])  # type: ignore[list-item]
            else:
                model.pop(str(item), None)

    with tempfile.TemporaryDirectory() as folder:
        everything, found = asyncio.run(play(Path(folder)))

    assert everything == sorted(model.items())
    assert found == sorted(key for key in model if key.startswith(prefix))
