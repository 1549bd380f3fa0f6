"""Results read back: a record or a stored value that is bad hides itself and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.envelope import Event, dump, encode
from core.errors import SchemaError
from core.events import MediaTagged
from core.ports import Ports
from core.results.keys import latest_key, result_key
from core.results.parts import Latest, PartStore
from core.results.reading import every, follow, newest, one, result
from core.unread import Unread
from infra.contract.topics import embedded_topics
from tests.core.samples import SAMPLES
from tests.hostile_records import say_bad_records
from tests.memory_broker import Broker
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore

TAGGED = SAMPLES["media.tagged"].of(MediaTagged)


@pytest.fixture
async def ports(tmp_path: Path) -> Ports:
    log = MemoryEventLog(broker=Broker(0, CALM))
    await log.create_topics(embedded_topics(3))
    return Ports(log, MemoryStateStore(), await FolderBlobStore.open(tmp_path))


def medium(number: int) -> str:
    return f"{number:032x}"


def tagged(number: int) -> Event[MediaTagged]:
    data = TAGGED.data.model_copy(update={"media_id": medium(number), "product": None})
    return replace(TAGGED, subject=medium(number), purpose="query", data=data)


async def store(ports: Ports, number: int) -> None:
    latest = Latest(
        revision=1, digest="d", pipeline="p", root="r", status="complete", announced=True
    )
    await PartStore(ports.state).put_latest(medium(number), latest)
    value = dump(tagged(number).data)
    await ports.blobs.put([Blob(result_key(medium(number), "p"), value, "application/json")])


async def damage_blob(ports: Ports, number: int) -> None:
    key = result_key(medium(number), "p")
    await ports.blobs.put([Blob(key, b'{"media_id": 7', "application/json")])


async def test_the_newest_are_found_behind_and_before_bad_records(ports: Ports) -> None:
    await ports.log.publish([encode(tagged(1)), encode(tagged(2))])
    bad = await say_bad_records(ports, "media.tagged")
    await ports.log.publish([encode(tagged(3))])
    unread = Unread()

    found = await newest(ports, 10, "query", unread)

    assert {said.tagged.media_id for said in found} == {medium(1), medium(2), medium(3)}
    assert unread.count == bad
    assert "media.tagged:" in (unread.words or "")


async def test_who_looks_further_back_counts_each_bad_record_once(ports: Ports) -> None:
    await ports.log.publish([encode(tagged(1))])
    bad = await say_bad_records(ports, "media.tagged")
    await ports.log.publish([encode(tagged(2)) for _ in range(50)])
    unread = Unread()

    await newest(ports, 3, "query", unread)

    assert unread.count == bad


async def test_who_follows_hears_what_comes_behind_bad_records(ports: Ports) -> None:
    unread = Unread()
    heard: list[str] = []

    async def hear() -> None:
        async for said in follow(ports, "query", unread):
            heard.append(said.media_id)  # noqa: PERF401  # it is looked at meanwhile

    hearing = asyncio.create_task(hear())
    while not heard:
        await ports.log.publish([encode(tagged(1))])
        await asyncio.sleep(0)
    bad = await say_bad_records(ports, "media.tagged")
    await ports.log.publish([encode(tagged(2))])
    async with asyncio.timeout(30):
        while medium(2) not in heard or unread.count < bad:  # noqa: ASYNC110  # within some turns
            await asyncio.sleep(0)
    hearing.cancel()

    assert unread.count == bad


async def test_a_stored_result_that_is_damaged_hides_itself_alone(ports: Ports) -> None:
    for number in range(4):
        await store(ports, number)
    await damage_blob(ports, 1)
    await ports.state.put([(latest_key(medium(2)), b"\xff\x00")])
    unread = Unread()

    found = [each.media_id async for each in every(ports, "query", unread)]

    assert found == [medium(0), medium(3)]
    assert unread.count == 2
    assert medium(1) in (unread.words or "")
    assert medium(2) in (unread.words or "")


async def test_who_asks_for_a_damaged_result_is_told_what_is_damaged(ports: Ports) -> None:
    await store(ports, 1)
    await store(ports, 2)
    await damage_blob(ports, 1)
    await ports.state.put([(latest_key(medium(2)), b"[]")])

    with pytest.raises(SchemaError, match=result_key(medium(1), "p")):
        await one(ports, medium(1))
    with pytest.raises(SchemaError, match="damaged in state"):
        await result(ports, medium(2))
