"""``--until-idle`` ends, whatever stands in the log, and says meanwhile what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.envelope import Event, encode
from core.events import Data, DeadLetter, FrameExtracted
from core.results import reading
from core.settings import RuntimeSettings, Settings
from infra.cli.show.live import line
from infra.running.service import Service
from infra.watching.status import Observer
from tests.consumers.media import frame, matched, upload
from tests.consumers.test_orphans import ORPHANS
from tests.infra.running.standin_engine import open_standin, quick

ANOTHER = {
    "a frame": [
        replace(
            upload(),
            id="frame",
            frame=frame(0).frame_id,
            data=FrameExtracted(media_id="", frame=frame(0)),
        )
    ],
    "an upload that only results may read": [replace(upload(), target="results")],
}


def settings(data_dir: Path, partial_after_s: float) -> Settings:
    runtime = RuntimeSettings(partial_after_s=partial_after_s)
    return quick(data_dir).model_copy(update={"runtime": runtime})


def of_medium(media: str, events: Sequence[Event[Data]]) -> list[Event[Data]]:
    made = []
    for number, event in enumerate(events):
        update: dict[str, object] = {"media_id": media}
        if isinstance(event.data, DeadLetter):
            update["origin_headers"] = {"ce_subject": media}
        data = event.data.model_copy(update=update)
        made.append(replace(event, id=f"{media}-{number}", subject=media, data=data))
    return made


async def test_orphans_of_every_kind_end_in_results_and_the_run_ends(tmp_path: Path) -> None:
    kinds = {f"{n:032x}": each for n, each in enumerate([*ORPHANS.values(), *ANOTHER.values()])}
    async with open_standin(settings(tmp_path / "data", 0.5)) as engine:
        log = engine.ports.log
        for media, events in kinds.items():
            await log.publish([encode(event) for event in of_medium(media, events)])

        async with asyncio.timeout(120):
            await Service(engine, []).run(asyncio.Event(), until_idle=True)
        said = await reading.newest(engine.ports, 100, "query")

    ends = {one.tagged.media_id: one.tagged for one in said}
    assert ends.keys() == kinds.keys()
    assert {tagged.status for tagged in ends.values()} == {"partial", "failed"}
    assert all(tagged.missing or tagged.reason for tagged in ends.values())


async def test_the_status_names_what_is_waited_for(tmp_path: Path) -> None:
    async with open_standin(settings(tmp_path / "data", 3600.0)) as engine:
        service = Service(engine, [])
        observer = await Observer.of(service)
        await engine.ports.log.publish([encode(matched(0, []))])
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop, until_idle=True))
        async with asyncio.timeout(60):
            while not (status := await observer.status(exact=True)).waits_for:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        stop.set()
        await running

    assert status.waiting == 1
    assert line(status).endswith("00000001: its upload")
