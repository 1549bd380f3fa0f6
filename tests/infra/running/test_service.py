from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.results import reading as tagged
from infra.running.engine import Engine
from infra.running.service import Service
from infra.watching.status import Observer, Status
from tests.infra.running.standin_engine import open_standin, quick
from tests.vision_standin import png


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(png("red", side=90 + number))
    return folder


async def serve(engine: Engine, folder: Path, until_idle: bool, stop: asyncio.Event) -> Status:
    service = Service(engine, [folder])
    observer = await Observer.of(service)
    await service.run(stop, until_idle)
    return await observer.status(exact=True)


async def test_until_idle_everything_in_the_folder_is_tagged_once(
    tmp_path: Path, photos: Path
) -> None:
    settings = quick(tmp_path / "data")
    (photos / "broken.jpg").write_bytes(b"no picture")

    async with open_standin(settings) as engine:
        first = await serve(engine, photos, True, asyncio.Event())
    async with open_standin(settings) as engine:
        again = await serve(engine, photos, True, asyncio.Event())
        said = await tagged.newest(engine.ports, 100, "query")

    assert (first.tagged, first.failed, first.waiting) == (6, 1, 0)
    assert (again.tagged, again.waiting) == (0, 0)
    assert {one.tagged.filename for one in said if one.tagged.status == "complete"} == {
        f"{number}.png" for number in range(5)
    }


async def test_what_a_stop_interrupts_the_next_run_does(tmp_path: Path, photos: Path) -> None:
    settings, stop = quick(tmp_path / "data"), asyncio.Event()

    async with open_standin(settings) as engine:
        asyncio.get_running_loop().call_later(0.4, stop.set)
        first = await serve(engine, photos, False, stop)
    async with open_standin(settings) as engine:
        rest = await serve(engine, photos, True, asyncio.Event())

    assert first.tagged + rest.tagged == 5
    assert rest.waiting == 0


async def test_what_arrives_while_it_runs_is_tagged(tmp_path: Path, photos: Path) -> None:
    settings, stop = quick(tmp_path / "data"), asyncio.Event()

    async with open_standin(settings) as engine:
        running = asyncio.create_task(serve(engine, photos, False, stop))
        (photos / "late.png").write_bytes(png("blue"))
        async for one in tagged.follow(engine.ports, "query"):
            if one.filename == "late.png":
                break
        stop.set()
        await running

    assert one.items[0].label == "blue thing"


async def test_a_folder_around_the_data_folder_is_refused(tmp_path: Path) -> None:
    async with open_standin(quick(tmp_path / "data")) as engine:
        with pytest.raises(SettingsError, match="choose another"):
            Service(engine, [tmp_path])
