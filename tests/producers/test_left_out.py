from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import FormatError
from producers.left_out import LeftOut, in_words, left_out
from tests.producers.engine import Engine
from tests.producers.test_folder import drop, watching


@pytest.mark.parametrize(
    ("ignored", "words"),
    [
        ({}, ""),
        ({".txt": 2, ".psd": 12, "": 1}, "12 .psd, 2 .txt, 1 without extension"),
        ({".a b": 1, ".\x1b[31m": 2, ".long-extension": 1, ".xyz": 1}, "1 .xyz, 4 others"),
        ({f".e{n}": 20 - n for n in range(10)}, None),
    ],
)
def test_counts_are_said_most_first(ignored: dict[str, int], words: str | None) -> None:
    said = in_words(ignored)

    if words is None:
        assert said.startswith("20 .e0, 19 .e1,")
        assert said.endswith(", 23 others")
    else:
        assert said == words


async def test_what_a_folder_holds_beside_media_is_known_to_who_looks_later(
    engine: Engine, folder: Path
) -> None:
    drop(folder / "a.psd", "a")
    drop(folder / "b.psd", "b")

    async with watching(engine, folder) as producer:
        await producer.drained()
        unseen = await left_out(engine.state)
        drop(folder / "c.jpg", "c")
        await producer.drained()
        seen = await left_out(engine.state)

    place = folder.resolve().as_uri()
    assert unseen == [LeftOut(place=place, seen=False, ignored={".psd": 2})]
    assert seen == [LeftOut(place=place, seen=True, ignored={".psd": 2})]


async def test_a_note_that_cannot_be_read_is_named(engine: Engine) -> None:
    await engine.state.put([("left-out/folder/ab", b"{")])

    with pytest.raises(FormatError, match="left-out/folder/ab"):
        await left_out(engine.state)
