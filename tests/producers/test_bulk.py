"""Many files dropped while nobody watched: exactly one event each, none of half a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.producers.engine import END, START, Engine, eventually, photo, sha256, watching


def name(number: int) -> str:
    return f"{number % 20:02d}/{number:05d}.jpg"


async def write_slowly(paths: Sequence[Path]) -> None:
    """Each file in three pieces, a hundred files at a time, so that all are met half written."""
    for start in range(0, len(paths), 100):
        some = paths[start : start + 100]
        for piece in range(3):
            await asyncio.to_thread(_append, some, piece)
            await asyncio.sleep(0.05)


def _append(paths: Sequence[Path], piece: int) -> None:
    for path in paths:
        with path.open("ab") as file:
            file.write((START, path.name.encode(), END)[piece])


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_files_dropped_while_down_are_each_announced_once_also_when_half_come_slowly(
    engine: Engine, folder: Path, count: int
) -> None:
    for part in range(20):
        (folder / f"{part:02d}").mkdir()
    paths = [folder / name(number) for number in range(count)]
    for path in paths[: count // 2]:
        path.write_bytes(photo(path.name))

    async with watching(engine, folder) as producer:
        await write_slowly(paths[count // 2 :])
        await producer.drained()

    events = await engine.uploads()
    assert len(events) == len({event.id for event in events}) == count
    assert {event.data.uri: event.data.content_hash for event in events} == {
        path.as_uri(): sha256(photo(path.name)) for path in paths
    }


async def test_a_restart_in_the_middle_announces_exactly_the_rest(
    engine: Engine, folder: Path
) -> None:
    for number in range(600):
        (folder / f"{number:05d}.jpg").write_bytes(photo(str(number)))
    async with watching(engine, folder, batch_files=10, grace_s=30.0) as producer:
        await eventually(lambda: producer.status.announced >= 50)
    first = len(await engine.uploads())
    assert 50 <= first < 600

    async with watching(engine, folder) as producer:
        await producer.drained()
        assert producer.status.announced == 600 - first

    events = await engine.uploads()
    assert len(events) == len({event.id for event in events}) == 600
