"""Health names what is in flight of other settings than today's."""

from __future__ import annotations

from dataclasses import replace

from core.envelope import encode
from core.log.port import Message
from infra.contract.topics import embedded_topics
from infra.watching.in_flight import foreign_paths
from infra.wiring.stages import RECIPES
from tests.core.runtime.stages import extracted, publish, uploaded
from tests.memory_log import CALM, MemoryEventLog

TODAY = "aaaaaaaa.bbbbbbbb.cccccccc"


async def test_paths_that_todays_settings_do_not_make_are_counted() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(embedded_topics(3))
    before = [replace(extracted(n), pipeline="78e30e0c5c36") for n in range(3)]
    other = replace(extracted(7), pipeline="dddddddd")
    ours = replace(extracted(8), pipeline="aaaaaaaa")
    await publish(log, [*before, other, ours, uploaded(9)])
    await log.publish([Message("frames.extracted", "k", b"no event", {})])

    found = await foreign_paths(log, RECIPES, TODAY)

    assert found == {"78e30e0c5c36": 3, "dddddddd": 1}


async def test_what_is_done_is_not_in_flight() -> None:
    log = MemoryEventLog(chaos=CALM)
    await log.create_topics(embedded_topics(3))
    await log.publish([encode(replace(extracted(1), pipeline="dddddddd"))])
    await log.set_offsets("segment", await log.end_offsets(["frames.extracted"]))

    assert await foreign_paths(log, RECIPES, TODAY) == {}
