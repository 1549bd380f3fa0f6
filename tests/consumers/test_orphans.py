"""Parts of a medium that come alone: each ends in a result, and nothing waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from core.blobs.folder import FolderBlobStore
from core.envelope import Event, encode
from core.events import Data, MediaAnalyzed, MediaTagged
from core.results.parts import PartStore
from core.vectors.edge.store import EdgeVectorStore
from tests.consumers.media import MEDIA, dead, framed, indexed, item, matched, upload
from tests.core.runtime.stages import caught_up, create_topics, running, said, until
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

OPTIONS = ResultsOptions(every_s=0.02, partial_after_s=0.2)
ITEMS = matched(0, [item("a", 0.0)])


def analyzed() -> Event[Data]:
    data = MediaAnalyzed(media_id=MEDIA, clothing_description="a shirt")
    return replace(upload(), id="analysis", data=data)


ORPHANS: dict[str, list[Event[Data]]] = {
    "an upload": [upload()],
    "items of a query": [ITEMS],
    "items of a catalog": [indexed(0, ["a"])],
    "an analysis": [analyzed()],
    "a list of frames": [framed([0])],
    "a list without frames": [framed([])],
    "a dead letter of a frame": [dead("segment", 0)],
    "a dead letter of the medium": [dead("frames")],
    "a list and its items": [framed([0]), ITEMS],
    "an upload and items": [upload(), ITEMS],
    "an upload and a dead letter of a frame": [upload(), dead("segment", 0)],
    "an upload and a list": [upload(), framed([0, 1]), ITEMS],
    "items of a frame that is not listed": [upload(), framed([1]), ITEMS],
    "an upload and a list of another": [upload(), framed([0], "r2"), matched(0, [], "r2")],
}


class Rig:
    def __init__(self, blobs: FolderBlobStore, vectors: EdgeVectorStore, folder: Path) -> None:
        self.log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
        self.state = MemoryStateStore()
        self.parts = PartStore(self.state)
        self._writer = ResultWriter(self.parts, blobs, vectors)
        self._folder = folder

    async def work(self, events: Sequence[Event[Data]]) -> list[MediaTagged]:
        """A stage reads these and runs until no medium waits; all results said ever."""

        async def calm() -> bool:
            return False

        stage = ResultsStage(self.parts, self._writer, Thresholds(0.9, 0.85), calm, OPTIONS)
        async with running(stage, self.log, self.state, self._folder):
            await self.log.publish([encode(event) for event in events])
            await until(lambda: caught_up(self.log, stage))
            await until(self._idle)
        found = [event.of(MediaTagged).data for event in await said(self.log, MediaTagged.topic)]
        return sorted(found, key=lambda tagged: tagged.revision)

    async def _idle(self) -> bool:
        return await self.parts.unannounced() == 0


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    blobs = await FolderBlobStore.open(tmp_path / "results")
    vectors = await EdgeVectorStore.open(tmp_path / "vectors")
    rig = Rig(blobs, vectors, tmp_path)
    await create_topics(rig.log)
    yield rig
    await vectors.close()
    await blobs.close()


@pytest.mark.parametrize("events", ORPHANS.values(), ids=ORPHANS.keys())
async def test_whatever_came_alone_ends_in_a_result_that_says_what_is_missing(
    rig: Rig, events: list[Event[Data]]
) -> None:
    (tagged,) = await rig.work(events)

    assert tagged.status in ("partial", "failed")
    assert tagged.missing or tagged.reason


@pytest.mark.parametrize("events", ORPHANS.values(), ids=ORPHANS.keys())
async def test_what_was_missing_completes_it_after_all(rig: Rig, events: list[Event[Data]]) -> None:
    await rig.work(events)

    *_, newest = await rig.work([upload(), framed([0]), ITEMS])

    assert (newest.status, newest.missing) == ("complete", [])
    assert newest.revision > 1


async def test_an_orphan_that_was_announced_is_not_waited_for_after_a_restart(rig: Rig) -> None:
    first = await rig.work([ITEMS])

    assert await rig.work([]) == first


async def test_what_a_medium_waits_for_is_named(rig: Rig) -> None:
    await rig.parts.put_part(0, upload(), 0)
    await rig.parts.put_part(0, framed([0, 1]), 1)
    await rig.parts.put_part(0, ITEMS, 2)

    assert await rig.parts.waiting_for(8) == {MEDIA: [f"items of frame {MEDIA}/000000001"]}
