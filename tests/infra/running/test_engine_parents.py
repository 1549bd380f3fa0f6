"""What runs beside the stages of a process: its error ends the process's work in order."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

import pytest

from core.blobs.folder import FolderBlobStore
from core.errors import OutageError, SettingsError
from core.events import TOPICS
from core.log.port import TopicPartition, TopicSpec
from core.ports import Ports
from core.settings import Settings
from infra.running.service import Service
from infra.running.worker import StageWorker
from tests.core.runtime.stages import Recorder, create_topics, until
from tests.infra.running.stages import small_engine
from tests.infra.running.standin_engine import open_standin, quick
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore


class Closing(Recorder):
    """Notes that it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


class FailingLog(MemoryEventLog):
    """Raises these where it is asked to clean, or how far a group is behind."""

    def __init__(
        self, maintain: list[Exception] | None = None, lag: list[Exception] | None = None
    ) -> None:
        super().__init__(chaos=CALM)
        self._maintain = maintain or []
        self._lag = lag or []

    async def maintain(self) -> None:
        if self._maintain:
            raise self._maintain.pop(0)

    async def lag(self, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
        if self._lag:
            raise self._lag.pop(0)
        return await super().lag(group, topics)


async def test_an_error_of_maintenance_ends_the_engine_in_order(tmp_path: Path) -> None:
    log = FailingLog(maintain=[OutageError("the disk is full"), SettingsError("no right to clean")])
    await create_topics(log)
    stage = Closing()

    async with small_engine(Settings(data_dir=tmp_path), log, stage, 0.001) as engine:
        with pytest.raises(SettingsError, match="no right to clean"):
            await asyncio.wait_for(engine.run(), 30)

    assert stage.closed


async def test_an_error_of_the_lag_gauge_ends_the_worker_in_order(tmp_path: Path) -> None:
    log = FailingLog(lag=[SettingsError("no right to ask")])
    await create_topics(log)
    stage = Closing()

    async with small_engine(Settings(data_dir=tmp_path), log, stage) as engine:
        with pytest.raises(SettingsError, match="no right to ask"):
            await asyncio.wait_for(StageWorker(engine).run(asyncio.Event()), 30)

    assert stage.closed


async def test_a_stop_ends_a_worker_in_order(tmp_path: Path) -> None:
    log, stage, stop = MemoryEventLog(chaos=CALM), Closing(), asyncio.Event()
    await create_topics(log)

    async with small_engine(Settings(data_dir=tmp_path), log, stage) as engine:
        running = asyncio.create_task(StageWorker(engine).run(stop))
        await until(lambda: engine.runners[0].joined)
        stop.set()
        await running

    assert stage.closed


async def test_an_error_while_it_looks_whether_all_is_done_is_not_taken_for_done(
    tmp_path: Path,
) -> None:
    log = FailingLog(lag=[OutageError("the broker is away"), SettingsError("no right to ask")])
    settings = quick(tmp_path / "data")
    await log.create_topics([TopicSpec(name) for name in TOPICS])
    state, blobs = MemoryStateStore(), await FolderBlobStore.open(tmp_path / "blobs")

    async with open_standin(settings, Ports(log, state, blobs)) as engine:
        with pytest.raises(SettingsError, match="no right to ask"):
            await asyncio.wait_for(Service(engine, []).run(asyncio.Event(), until_idle=True), 60)

    await blobs.close()
