"""Producers as workers: what they tell those who watch over them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import REGISTRY

from core.settings import Settings, WatchSettings
from infra.wiring.producers import open_folder_producer
from tests.producers.engine import eventually


def _refused(reason: str) -> float | None:
    labels = {"producer": "folder", "reason": reason}
    return REGISTRY.get_sample_value("tagger_refused_media", labels)


async def test_what_a_producer_refuses_and_that_it_pauses_are_exported(tmp_path: Path) -> None:
    folder, stop = tmp_path / "photos", asyncio.Event()
    folder.mkdir()
    (folder / "no-picture.jpg").write_text("not a picture")
    settings = Settings(data_dir=tmp_path / "data", watch=WatchSettings(settle_s=0.1, rescan_s=0.1))

    async with open_folder_producer(settings, folder) as worker:
        running = asyncio.create_task(worker.run(stop))
        await eventually(lambda: _refused("undecodable") == 1)
        assert _refused("unreadable") == 0
        assert REGISTRY.get_sample_value("tagger_intake_paused", {"producer": "folder"}) == 0

        folder.rename(tmp_path / "gone")
        await eventually(
            lambda: REGISTRY.get_sample_value("tagger_intake_paused", {"producer": "folder"}) == 1
        )
        stop.set()
        await running
