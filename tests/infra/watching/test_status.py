from __future__ import annotations

from pathlib import Path

from core.envelope import encode
from infra.cli.show.live import line
from infra.running.service import Service
from infra.watching.status import Observer
from tests.core.samples import SAMPLES
from tests.hostile_records import say_bad_records
from tests.infra.running.standin_engine import open_standin, quick


async def test_a_bad_result_is_counted_once_and_those_behind_it_are_counted_too(
    tmp_path: Path,
) -> None:
    async with open_standin(quick(tmp_path / "data")) as engine:
        observer = await Observer.of(Service(engine, []))
        bad = await say_bad_records(engine.ports, "media.tagged")
        await engine.ports.log.publish([encode(SAMPLES["media.tagged"])])

        first = await observer.status()
        again = await observer.status()

    assert (first.tagged, again.tagged) == (1, 1)
    assert first.unread == again.unread
    assert f"{bad} records could not be read: media.tagged:" in line(again)
