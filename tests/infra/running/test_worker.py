from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.errors import OutageError, SettingsError
from core.settings import Settings
from infra.running.worker import Worker, run_worker


class Idle:
    """Works until it is told to stop."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.begun.set()
        await stop.wait()

    def trouble(self) -> str | None:
        return None


class Opening:
    """Fails with these errors, one a try, and then opens."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.worker = Idle()
        self.closed = False

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Worker]:
        if self.errors:
            raise self.errors.pop(0)
        yield self.worker
        self.closed = True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


async def test_a_dependency_that_is_away_at_the_start_is_waited_for(settings: Settings) -> None:
    opening, stop = Opening(OutageError("the broker is away")), asyncio.Event()
    running = asyncio.create_task(run_worker(settings, opening, stop))

    await asyncio.wait_for(opening.worker.begun.wait(), 30)
    stop.set()
    await running

    assert opening.closed


async def test_a_stop_ends_the_wait_for_a_dependency(settings: Settings) -> None:
    opening = Opening(*(OutageError("the broker is away") for _ in range(1000)))
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(settings, opening, stop))
    while len(opening.errors) == 1000:  # noqa: ASYNC110  # its first try
        await asyncio.sleep(0.01)

    stop.set()

    await asyncio.wait_for(running, 30)


async def test_what_no_waiting_mends_is_raised(settings: Settings) -> None:
    opening = Opening(SettingsError("no such stage"))

    with pytest.raises(SettingsError, match="no such stage"):
        await run_worker(settings, opening, asyncio.Event())
