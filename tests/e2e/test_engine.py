"""From dropped pictures to results through every stage, on a calm log and on a nasty one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.events import DeadLetter, MediaTagged
from core.log.port import EventLog, TopicPartition
from core.ports import Ports
from core.vectors.port import Filter
from tests.core.runtime.stages import said, until
from tests.e2e.harness import (
    PAINTS,
    comparable,
    looks,
    product_pictures,
    rig,
    running,
    settled,
    submission,
    titles,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.vision_standin import png


async def test_a_dropped_picture_is_matched_with_its_products(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            await engine_room.announce(*product_pictures(tmp_path / "shop"))
            await settled(engine)
            (announced,) = await engine_room.announce(
                submission(tmp_path / "look.png", png("red", "blue"))
            )
            await settled(engine)

        tagged = (await engine_room.results())[announced.media_id]
        assert tagged.status == "complete"
        assert titles(tagged) == [["red"], ["blue"]]
        assert [upload.root for upload in tagged.uploads] == [announced.root]
        for item in tagged.items:
            assert await engine_room.ports.blobs.stat(item.crop_key) is not None
            assert await engine_room.ports.blobs.stat(item.masked_key or "") is not None


async def test_without_a_catalog_nothing_fails_and_the_result_says_so(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            (announced,) = await engine_room.announce(submission(tmp_path / "look.png", png("red")))
            await settled(engine)

        tagged = (await engine_room.results())[announced.media_id]
        assert (tagged.status, tagged.match_reason) == ("complete", "no_catalog")
        assert titles(tagged) == [[]]


async def test_the_same_bytes_again_are_matched_but_not_looked_at(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        log = engine_room.ports.log
        async with running(engine):
            (first,) = await engine_room.announce(submission(tmp_path / "a.png", png("red")))
            await settled(engine)
            await engine_room.announce(*product_pictures(tmp_path / "shop"))
            await settled(engine)
            frames = sum((await log.end_offsets(["frames.extracted"])).values())
            (second,) = await engine_room.announce(submission(tmp_path / "b.png", png("red")))
            await settled(engine)

        tagged = (await engine_room.results())[first.media_id]
        assert second.media_id == first.media_id
        assert second.root != first.root
        assert tagged.cached
        assert titles(tagged) == [["red"]]
        assert {upload.filename for upload in tagged.uploads} == {"a.png", "b.png"}
        assert sum((await log.end_offsets(["frames.extracted"])).values()) == frames


async def test_one_photo_as_query_and_as_two_products_is_three_media(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        red, green = (known.product for known in product_pictures(tmp_path / "x")[:2])
        shop = [
            submission(tmp_path / "1.png", png("green"), red),
            submission(tmp_path / "2.png", png("green"), green),
        ]
        async with running(engine):
            catalog = await engine_room.announce(*shop)
            await settled(engine)
            (query,) = await engine_room.announce(submission(tmp_path / "q.png", png("green")))
            await settled(engine)

        results = await engine_room.results()
        assert len({query.media_id, *(known.media_id for known in catalog)}) == 3
        assert sorted(titles(results[query.media_id])[0]) == ["green", "red"]
        flagged = [
            point.payload["product_id"]
            for point in (await engine_room.vectors.scroll("fashion_products__g1", None, 10))[0]
            if point.payload.get("duplicate_of")
        ]
        assert flagged == ["red"]


async def test_a_changed_pipeline_replaces_the_old_items(tmp_path: Path) -> None:
    look = png("red", "blue")
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            await engine_room.announce(*product_pictures(tmp_path / "shop"))
            (first,) = await engine_room.announce(submission(tmp_path / "a.png", look))
            await settled(engine)
        old = (await engine_room.results())[first.media_id]

        engine_room.settings = engine_room.settings.model_copy(update={"masking": False})
        engine = await engine_room.engine()
        async with running(engine):
            shop = [
                submission(tmp_path / f"again-{paint}.png", png(paint, side=64), known.product)
                for paint, known in zip(PAINTS, product_pictures(tmp_path / "shop"), strict=True)
            ]
            await engine_room.announce(*shop)
            await engine_room.announce(submission(tmp_path / "b.png", look))
            await settled(engine)

        new = (await engine_room.results())[first.media_id]
        assert not new.cached
        assert {item.item_id for item in new.items}.isdisjoint(item.item_id for item in old.items)
        assert all(item.masked_key is None for item in new.items)
        points = await engine_room.vectors.count("fashion_products__g1")
        assert points == len(PAINTS)
        mine = Filter({"media_id": [first.media_id]})
        collections = await engine_room.vectors.collections()
        media = next(name for name in collections if name.startswith("media_items__"))
        assert await engine_room.vectors.count(media, mine) == 2


async def test_a_broken_file_fails_with_words_and_stops_nothing_else(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            broken, good = await engine_room.announce(
                submission(tmp_path / "broken.jpg", b"PK\x03\x04 not a picture"),
                submission(tmp_path / "good.png", png("red")),
            )
            await settled(engine)

        results = await engine_room.results()
        assert results[good.media_id].status == "complete"
        assert results[broken.media_id].status == "failed"
        assert "ZIP archive" in (results[broken.media_id].reason or "")
        assert len(await said(engine_room.ports.log, DeadLetter.topic)) == 1


@pytest.mark.parametrize("seed", range(2))
async def test_a_nasty_log_gives_the_results_of_a_calm_one(seed: int, tmp_path: Path) -> None:
    shop, queries = product_pictures(tmp_path / "shop"), looks(tmp_path / "looks", 12)
    repeated = submission(tmp_path / "again.png", queries[0].path.read_bytes())

    async def run(data: Path, log: MemoryEventLog | None) -> dict[str, MediaTagged]:
        async with rig(data, log) as engine_room:
            engines = [await engine_room.engine()]
            if log is not None:
                another = Ports(log.another(), engine_room.ports.state, engine_room.ports.blobs)
                engines.append(await engine_room.engine(another))
            async with running(*engines):
                await engine_room.announce(*shop)
                await settled(*engines)
                await engine_room.announce(*queries)
                await asyncio.sleep(0.1)
                await engine_room.announce(repeated)
                await settled(*engines)
            assert await said(engine_room.ports.log, DeadLetter.topic) == []
            return comparable(await engine_room.results())

    nasty = MemoryEventLog(seed=seed, chaos=Chaos(rebalance=0.02, twice=0.05))

    expected = await run(tmp_path / "calm", None)
    assert await run(tmp_path / "nasty", nasty) == expected
    assert len(expected) == len(shop) + len(queries)
    await nasty.close()


async def test_an_interrupted_engine_goes_on_where_it_stopped(tmp_path: Path) -> None:
    queries = looks(tmp_path / "looks", 8)
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            await engine_room.announce(*queries)
            await until(lambda: _began(engine_room.ports.log))
        assert not await engine.idle()

        engine = await engine_room.engine()
        async with running(engine):
            await settled(engine)

        results = await engine_room.results()
        assert len(results) == len(queries)
        assert {tagged.status for tagged in results.values()} == {"complete"}
        lag = await engine_room.ports.log.lag("results", ["media.uploaded"])
        assert lag == {TopicPartition("media.uploaded", n): 0 for n in range(3)}


async def _began(log: EventLog) -> bool:
    return any((await log.committed("segment")).values())
