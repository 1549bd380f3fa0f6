"""The results stage under load and in trouble: its bounds, its waits, and who hears of an error."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.envelope import Event, encode
from core.errors import OutageError, SettingsError
from core.events import Data, MediaTagged, encode_vector
from core.results.parts import PartStore
from core.runtime.retry import RetryPolicy
from core.vectors.port import VectorStore
from tests.consumers.media import MEDIA, dead, framed, item, matched, upload
from tests.core.runtime.stages import (
    at_work,
    caught_up,
    create_topics,
    media_id,
    running,
    said,
    until,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

QUICK = RetryPolicy(max_attempts=2, base_s=0.01)
REFUSED = [upload(), dead("frames")]


class Results(FolderBlobStore):
    """Where results are written; ``trouble`` comes before each write."""

    busy = most = tried = 0
    trouble: Callable[[], object] = staticmethod(lambda: None)

    async def put(self, blobs: Sequence[Blob]) -> None:
        self.tried += 1
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            self.trouble()
            await super().put(blobs)
        finally:
            self.busy -= 1


class Read(MemoryStateStore):
    """Notes what is read at a time, and what has been read when a page is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Counter[str] = Counter()
        self.read_before_page: list[int] = []
        self.listed: list[str] = []

    async def keys(self, prefix: str) -> list[str]:
        self.listed.append(prefix)
        return await super().keys(prefix)

    async def page(
        self, prefix: str, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        if prefix == "open/0/":
            self.read_before_page.append(self.read.total())
        keys = sorted(key for key in self.values if key.startswith(prefix) and key > (after or ""))
        return keys[:limit], keys[limit - 1] if len(keys) > limit else None

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        if prefix.startswith("part/"):
            self.read[prefix] += 1
        return await super().scan(prefix)


@pytest.fixture
async def results(tmp_path: Path) -> Results:
    opened = await Results.open(tmp_path / "results")
    assert isinstance(opened, Results)
    return opened


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log)
    return log


def stage_on(
    state: MemoryStateStore,
    results: Results,
    policy: RetryPolicy = QUICK,
    options: ResultsOptions | None = None,
) -> ResultsStage:
    async def backlog() -> bool:
        return False

    parts = PartStore(state)
    no_items = cast("VectorStore", None)
    writer = ResultWriter(parts, results, no_items)
    options = options or ResultsOptions(every_s=0.01)
    return ResultsStage(parts, writer, Thresholds(0.9, 0.85), backlog, options, policy)


def about(media: str, event: Event[Data]) -> Event[Data]:
    data = event.data.model_copy(update={"media_id": media})
    return replace(event, subject=media, data=data)


async def settled(state: MemoryStateStore) -> bool:
    return await PartStore(state).unannounced() == 0


async def test_so_many_media_are_folded_at_once_and_no_more(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    for number in range(60):
        for event in REFUSED:
            await PartStore(state).put_part(0, about(media_id(number), event), 0)

    stage = stage_on(state, results, options=ResultsOptions(concurrency=3))
    async with running(stage, log, state, tmp_path):
        await until(lambda: settled(state))

    assert results.most == 3
    assert len(await said(log, MediaTagged.topic)) == 60


async def test_open_media_are_looked_at_page_by_page(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = Read()
    for number in range(1200):
        await PartStore(state).put_part(0, about(media_id(number), upload()), 0)

    async with running(stage_on(state, results), log, state, tmp_path):
        await until(lambda: len(state.read) == 1200)

    assert max(state.read.values()) == 1
    assert "open/0/" not in state.listed
    # The next page is asked for when the last one has been worked off, but for what is in turn.
    first, second, third = state.read_before_page
    assert (first, second >= 500 - 40, third >= 1000 - 40) == (0, True, True)


async def test_events_are_handled_while_open_media_are_looked_at(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    """Looked at in the assignment itself, they would keep the stage from polling."""
    state = Read()
    for number in range(700):
        await PartStore(state).put_part(0, about(media_id(number), upload()), 0)

    stage = stage_on(state, results)
    async with at_work(stage, _unpublished):
        await stage.assigned(frozenset(log.broker.partitions))

        assert len(state.read) < 700
        await until(lambda: len(state.read) == 700)


async def _unpublished(parent: Event[Data], outputs: Sequence[object]) -> None:
    raise AssertionError("nothing is whole")


async def test_an_end_waits_for_no_back_off(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    results.trouble = _raiser(OutageError("no bucket"))
    slow = RetryPolicy(base_s=10_000, cap_s=10_000)

    async with asyncio.timeout(20), running(stage_on(state, results, slow), log, state, tmp_path):
        await log.publish([encode(event) for event in REFUSED])
        await until(lambda: results.tried)

    assert not await settled(state)


async def test_an_announcement_is_made_up_for_when_the_outage_is_over(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    results.trouble = lambda: _raise(OutageError("no bucket")) if results.tried < 5 else None

    async with running(stage_on(state, results), log, state, tmp_path):
        await log.publish([encode(event) for event in REFUSED])
        await until(lambda: _announced(log))

    assert len(await said(log, MediaTagged.topic)) == 1


async def test_that_a_medium_cannot_be_folded_is_said_after_an_outage(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    results.trouble = lambda: _raise(OutageError("no bucket")) if results.tried < 3 else None
    longer = item("b", 0.5).model_copy(update={"vector": encode_vector(np.ones(3, np.float32))})
    frames = [matched(0, [item("a", 0.0)]), matched(1, [longer])]

    async with running(stage_on(state, results), log, state, tmp_path):
        await log.publish([encode(event) for event in [upload(), framed([0, 1]), *frames]])
        await until(lambda: _announced(log))

    (event,) = await said(log, MediaTagged.topic)
    assert event.of(MediaTagged).data.status == "failed"


class Panic(BaseException):
    """What a Rust library raises."""


@pytest.mark.parametrize("error", [Panic("index out of bounds"), SettingsError("no such bucket")])
async def test_an_error_that_no_medium_is_to_blame_for_stops_the_stage(
    error: BaseException, tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    results.trouble = _raiser(error)

    with pytest.raises(type(error), match=str(error)):
        async with running(stage_on(state, results), log, state, tmp_path) as runner:
            await log.publish([encode(event) for event in REFUSED])
            await until(lambda: results.tried)
            await log.publish([encode(about(media_id(7), upload()))])
            await until(lambda: runner.failure)

    assert not await settled(state)
    results.trouble = lambda: None
    async with running(stage_on(state, results), log, state, tmp_path):
        await until(lambda: _announced(log))


async def _announced(log: MemoryEventLog) -> int:
    return len(await said(log, MediaTagged.topic))


async def test_very_many_uploads_are_counted_and_the_newest_are_named(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    roots = [f"r{number:03}" for number in range(130)]
    stage = stage_on(state, results)

    async with running(stage, log, state, tmp_path):
        for root in roots:
            await log.publish([encode(upload(root)), encode(dead("frames", root=root))])
        await until(lambda: caught_up(log, stage))
        await until(lambda: settled(state))

    events = [event.of(MediaTagged).data for event in await said(log, MediaTagged.topic)]
    newest = max(events, key=lambda tagged: tagged.revision)
    assert [named.root for named in newest.uploads] == roots[-100:]
    assert newest.upload_count == 130
    assert len(await state.keys(f"part/{MEDIA}/")) < 110


async def test_a_dead_letter_of_the_analysis_leaves_no_trace(
    tmp_path: Path, log: MemoryEventLog, results: Results
) -> None:
    state = MemoryStateStore()
    stage = stage_on(state, results)

    async with running(stage, log, state, tmp_path):
        await log.publish([encode(dead("analyze")), encode(dead("analyze", 0))])
        await until(lambda: caught_up(log, stage))

    assert await state.keys("part/") == []


def _raiser(error: BaseException) -> Callable[[], object]:
    return lambda: _raise(error)


def _raise(error: BaseException) -> None:
    raise error
