"""The results stage on a nasty log: nothing unannounced, nothing announced twice differently."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter, media_collection
from core.blobs.folder import FolderBlobStore
from core.database.database import SqliteDatabase
from core.envelope import Event, encode
from core.events import Data, MediaTagged, encode_vector
from core.results.parts import PartStore
from core.runtime.retry import RetryPolicy
from core.state.sqlite import SqliteStateStore
from core.vectors.edge.store import EdgeVectorStore
from core.vectors.port import Filter
from tests.consumers.media import MEDIA, dead, framed, ident, item, matched, upload
from tests.core.runtime.stages import caught_up, create_topics, running, said, until
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog

OPTIONS = ResultsOptions(every_s=0.02, partial_after_s=0.2)
POLICY = RetryPolicy(max_attempts=2, base_s=0.01)
CALM = Chaos(rebalance=0, delay_s=0)
PICTURE = [upload(), framed([0]), matched(0, [item("a", 0.0), item("b", 0.02)])]


@dataclass
class Stores:
    state: SqliteStateStore
    blobs: FolderBlobStore
    vectors: EdgeVectorStore

    def stage(self, lagging: bool = False) -> ResultsStage:
        parts = PartStore(self.state)

        async def backlog() -> bool:
            return lagging

        writer = ResultWriter(parts, self.blobs, self.vectors)
        return ResultsStage(parts, writer, Thresholds(0.9, 0.85), backlog, OPTIONS, POLICY)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    state = SqliteStateStore(SqliteDatabase(tmp_path / "engine.db"))
    blobs = await FolderBlobStore.open(tmp_path / "results")
    vectors = await EdgeVectorStore.open(tmp_path / "vectors")
    yield Stores(state, blobs, vectors)
    await vectors.close()
    await blobs.close()
    await state.close()


async def tagged(log: MemoryEventLog) -> list[Event[MediaTagged]]:
    return [event.of(MediaTagged) for event in await said(log, MediaTagged.topic)]


async def run_to_end(
    stores: Stores, log: MemoryEventLog, folder: Path, events: list[Event[Data]]
) -> MediaTagged:
    """The newest result after these events."""
    stage = stores.stage()
    async with running(stage, log, stores.state, folder):
        for event in events:
            await log.publish([encode(event)])
        await until(lambda: caught_up(log, stage))
        await until(lambda: _all_announced(stores))
    newest = max(await tagged(log), key=lambda event: event.data.revision)
    return newest.data


async def _all_announced(stores: Stores) -> bool:
    return await PartStore(stores.state).unannounced() == 0


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_any_repeat_and_any_rebalance_give_one_result(
    seed: int, tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(seed=seed, chaos=Chaos(rebalance=0.1, twice=0.3))
    await create_topics(log)
    events = [*PICTURE, *PICTURE]
    random.Random(seed).shuffle(events)

    newest = await run_to_end(stores, log, tmp_path, events)

    assert newest.status == "complete"
    assert [(i.item_id, i.duplicate_of) for i in newest.items] == [
        (ident("a"), None),
        (ident("b"), ident("a")),
    ]
    by_revision = {event.data.revision: event.id for event in await tagged(log)}
    assert len({event.id for event in await tagged(log)}) == len(by_revision)


async def test_a_result_is_a_blob_an_event_and_its_unique_vectors(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)

    newest = await run_to_end(stores, log, tmp_path, PICTURE)

    stored = MediaTagged.model_validate_json(await stores.blobs.get(newest.result_key))
    assert stored == newest
    collection = media_collection("e")
    points, _ = await stores.vectors.scroll(collection, Filter({"media_id": [MEDIA]}), 10)
    assert [point.payload["item_id"] for point in points] == [ident("a")]


async def test_what_was_stored_before_a_crash_is_announced_after_it(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    parts = PartStore(stores.state)
    for event in PICTURE:
        await parts.put_part(0, event, 0)

    stage = stores.stage()
    async with running(stage, log, stores.state, tmp_path):
        await until(lambda: _announced(log, 1))

        await until(lambda: _all_announced(stores))

    assert (await tagged(log))[0].data.status == "complete"


async def _announced(log: MemoryEventLog, count: int) -> bool:
    return len(await tagged(log)) >= count


async def test_a_crash_between_stored_and_announced_repeats_the_same_event(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    parts = PartStore(stores.state)
    latest = await parts.latest(MEDIA)
    assert latest is not None
    await parts.put_latest(MEDIA, latest.model_copy(update={"announced": False}))
    await parts.put_part(0, PICTURE[0], 0)

    async with running(stores.stage(), log, stores.state, tmp_path):
        await until(lambda: _announced(log, 2))

    first, second = await tagged(log)
    assert first.id == second.id
    assert first.data == second.data


async def test_a_repeat_of_what_is_known_announces_nothing_new(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)

    await run_to_end(stores, log, tmp_path, PICTURE)

    assert len(await tagged(log)) == 1


async def test_a_second_upload_is_named_by_a_new_revision(tmp_path: Path, stores: Stores) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    again = [
        upload("r2"),
        framed([0], "r2", cached=True),
        matched(0, [item("a", 0.0), item("b", 0.02)], "r2"),
    ]

    newest = await run_to_end(stores, log, tmp_path, again)

    assert newest.revision == 2
    assert newest.cached
    assert [u.root for u in newest.uploads] == ["r1", "r2"]


async def test_items_that_come_ahead_of_their_upload_are_kept(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    ahead = matched(0, [item("a", 0.0)], "r2")
    await run_to_end(stores, log, tmp_path, [ahead])

    newest = await run_to_end(stores, log, tmp_path, [framed([0], "r2"), upload("r2")])

    assert [i.item_id for i in newest.items] == [ident("a")]


async def test_items_of_an_older_path_are_in_no_result_and_stay_to_be_used_again(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    again = [
        upload("r2"),
        framed([0], "r2", "new"),
        matched(0, [item("n", 1.0)], "r2", "new"),
    ]

    newest = await run_to_end(stores, log, tmp_path, again)

    assert [i.item_id for i in newest.items] == [ident("n")]
    points, _ = await stores.vectors.scroll(
        media_collection("e"), Filter({"media_id": [MEDIA]}), 10
    )
    assert [point.payload["item_id"] for point in points] == [ident("n")]
    known = await PartStore(stores.state).parts(MEDIA)
    assert known.reusable() == {"p": ("r1", "p"), "new": ("r2", "new")}


@pytest.mark.parametrize("rest", [[matched(0, [], "r2")], [dead("segment", 0, "r2")]])
async def test_after_a_restart_a_result_without_items_has_no_vectors_left(
    rest: list[Event[Data]], tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)

    newest = await run_to_end(stores, log, tmp_path, [upload("r2"), framed([0], "r2"), *rest])

    assert newest.items == []
    assert await vectors_kept(stores) == {media_collection("e"): []}


async def test_vectors_of_a_former_embedder_go_with_its_result(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    again = matched(0, [item("n", 1.0)], "r2")
    other = replace(again, data=again.data.model_copy(update={"embedder": "f"}))

    await run_to_end(stores, log, tmp_path, [upload("r2"), framed([0], "r2"), other])

    assert await vectors_kept(stores) == {
        media_collection("e"): [],
        media_collection("f"): [ident("n")],
    }


async def test_vectors_that_a_result_of_an_older_version_left_are_found(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    known = json.loads(await stores.state.get(f"result/{MEDIA}") or b"")
    known.pop("collections", None)
    await stores.state.put([(f"result/{MEDIA}", json.dumps(known).encode())])

    await run_to_end(stores, log, tmp_path, [upload("r2"), dead("frames", root="r2")])
    await run_to_end(stores, log, tmp_path, [framed([0], "r2"), matched(0, [], "r2")])

    assert await vectors_kept(stores) == {media_collection("e"): []}


async def test_a_collection_that_was_dropped_holds_nothing_up(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    await run_to_end(stores, log, tmp_path, PICTURE)
    await stores.vectors.drop(media_collection("e"))
    again = [upload("r2"), framed([0], "r2"), matched(0, [], "r2")]

    newest = await run_to_end(stores, log, tmp_path, again)

    assert newest.status == "complete"


async def vectors_kept(stores: Stores) -> dict[str, list[object]]:
    """Items of the medium in each collection of media."""
    kept = {}
    for collection in await stores.vectors.collections():
        points, _ = await stores.vectors.scroll(collection, Filter({"media_id": [MEDIA]}), 10)
        kept[collection] = [point.payload["item_id"] for point in points]
    return kept


async def test_a_refused_medium_is_announced_as_failed(tmp_path: Path, stores: Stores) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)

    newest = await run_to_end(stores, log, tmp_path, [upload(), dead("frames")])

    assert (newest.status, newest.reason) == ("failed", "frames: not a picture")


async def test_a_medium_that_cannot_be_folded_is_announced_as_failed_and_may_recover(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    longer = item("b", 0.5).model_copy(update={"vector": encode_vector(np.ones(3, np.float32))})
    events = [upload(), framed([0, 1]), matched(0, [item("a", 0.0)]), matched(1, [longer])]

    failed = await run_to_end(stores, log, tmp_path, events)
    mended = await run_to_end(stores, log, tmp_path, [matched(1, [item("b", 0.5)])])

    assert failed.status == "failed"
    assert failed.reason is not None
    assert failed.reason.startswith("results: ValueError")
    assert [upload.root for upload in failed.uploads] == ["r1"]
    assert (mended.status, mended.reason) == ("complete", None)


async def test_a_medium_without_progress_is_partial_and_completes_later(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    async with running(stores.stage(), log, stores.state, tmp_path):
        await log.publish([encode(event) for event in PICTURE[:2]])
        await until(lambda: _announced(log, 1))
        await log.publish([encode(PICTURE[2])])
        await until(lambda: _announced(log, 2))

    first, second = sorted(await tagged(log), key=lambda event: event.data.revision)
    assert first.data.status == "partial"
    assert first.data.missing == [f"items of frame {MEDIA}/000000000"]
    assert (second.data.status, second.data.missing) == ("complete", [])


async def test_the_clock_stands_while_work_is_queued(tmp_path: Path, stores: Stores) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    async with running(stores.stage(lagging=True), log, stores.state, tmp_path):
        await log.publish([encode(event) for event in PICTURE[:2]])
        await asyncio.sleep(3 * OPTIONS.partial_after_s)

    assert await tagged(log) == []


async def test_a_dead_letter_without_a_medium_concerns_nobody(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    stray = dead("frames")
    data = stray.data.model_copy(update={"origin_headers": {}})
    stage = stores.stage()
    async with running(stage, log, stores.state, tmp_path):
        await log.publish([encode(replace(stray, data=data))])
        await until(lambda: caught_up(log, stage))

    assert await _all_announced(stores)
