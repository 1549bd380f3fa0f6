from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.errors import TaggingError
from core.events import MediaTagged
from core.intake.intake import Intake
from core.ports import Ports
from core.results.answers import listening
from infra.running.engine import engine_process
from infra.running.host import StoppedError, with_engine
from tests.infra.running.standin_engine import open_standin, quick
from tests.vision_standin import png


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png("red"))
    return path


async def tag(ports: Ports, photo: Path) -> MediaTagged:
    async with listening(ports) as answers:
        intake = Intake(ports)
        announced = await intake.announce(photo, uri=photo.as_uri(), producer="test")
        return await answers.to(announced.media_id, announced.root)


async def test_where_there_is_no_engine_it_becomes_one_until_the_job_is_done(
    tmp_path: Path, photo: Path
) -> None:
    settings = quick(tmp_path / "data")

    tagged = await with_engine(
        settings, lambda ports: tag(ports, photo), asyncio.Event(), open_standin
    )

    assert tagged.status == "complete"
    assert engine_process(settings) is None


async def test_beside_an_engine_that_engine_does_the_work(tmp_path: Path, photo: Path) -> None:
    settings = quick(tmp_path / "data")
    async with open_standin(settings) as engine:
        running = asyncio.create_task(engine.run())

        tagged = await with_engine(
            settings, lambda ports: tag(ports, photo), asyncio.Event(), open_standin
        )

        assert tagged.status == "complete"
        assert not running.done()
        engine.stop()
        await running


async def test_when_the_engine_ends_before_the_job_it_takes_over(
    tmp_path: Path, photo: Path
) -> None:
    settings = quick(tmp_path / "data")
    async with open_standin(settings):  # holds the folder and tags nothing
        waiting = asyncio.create_task(
            with_engine(settings, lambda ports: tag(ports, photo), asyncio.Event(), open_standin)
        )
        await asyncio.sleep(0.3)
        assert not waiting.done()

    assert (await waiting).status == "complete"


async def test_a_stop_ends_it_in_order_and_says_that_the_work_is_not_done(tmp_path: Path) -> None:
    settings, stop = quick(tmp_path / "data"), asyncio.Event()

    async def never(ports: Ports) -> None:
        stop.set()
        await asyncio.Event().wait()

    with pytest.raises(StoppedError):
        await with_engine(settings, never, stop, open_standin)

    assert engine_process(settings) is None


async def test_what_goes_wrong_in_the_job_is_raised(tmp_path: Path) -> None:
    async def fail(ports: Ports) -> None:
        raise TaggingError("no")

    with pytest.raises(TaggingError, match="no"):
        await with_engine(quick(tmp_path / "data"), fail, asyncio.Event(), open_standin)
