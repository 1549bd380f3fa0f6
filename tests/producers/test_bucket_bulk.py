"""Many objects put while nobody watched, and a producer that is killed among them."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.s3 import S3Connection, S3Options
from tests.producers.buckets import Bucket, watching
from tests.producers.engine import Engine, eventually, open_engine, photo
from tests.producers.test_crash import Killing, run_child
from tests.servers.minio import minio_address


def tiny_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


async def put_many(bucket: Bucket, data: Callable[[int], bytes], count: int) -> list[str]:
    """Their uris."""

    async def put_some(first: int) -> None:
        for number in range(first, count, 16):
            await bucket.put(key(number), data(number))

    await asyncio.gather(*map(put_some, range(16)))
    return [f"{bucket.place}/{key(number)}" for number in range(count)]


def key(number: int) -> str:
    return f"{number % 20:02d}/{number:05d}.png"


@pytest.mark.parametrize("count", [1_200, pytest.param(10_000, marks=pytest.mark.long)])
async def test_objects_of_many_pages_are_each_announced_once_and_a_restart_reads_no_state_of_each(
    engine: Engine, bucket: Bucket, count: int
) -> None:
    picture = tiny_picture()
    uris = await put_many(bucket, lambda _: picture, count)

    async with watching(engine, bucket) as producer:
        await producer.drained()

    events = await engine.uploads()
    assert len(events) == len({event.id for event in events}) == count
    assert sorted(event.data.uri for event in events) == sorted(uris)

    engine.state = counting = CountingState(engine.state)
    async with watching(engine, bucket) as producer:
        await producer.drained()
        await producer.drained()
        assert producer.status.seen == count
        assert producer.status.announced == 0
    assert counting.calls < 10


async def test_a_restart_in_the_middle_announces_exactly_the_rest(
    engine: Engine, bucket: Bucket
) -> None:
    await put_many(bucket, lambda number: photo(str(number)), 600)
    async with watching(engine, bucket, batch_files=10, grace_s=30.0) as producer:
        await eventually(lambda: producer.status.announced >= 50)
    first = len(await engine.uploads())
    assert 50 <= first < 600

    async with watching(engine, bucket) as producer:
        await producer.drained()
        assert producer.status.announced == 600 - first

    events = await engine.uploads()
    assert len(events) == len({event.id for event in events}) == 600


@pytest.mark.parametrize("written", [False, True], ids=["before_the_event", "after_the_event"])
async def test_kill_9_around_an_announcement_leaves_exactly_one_id_an_object(
    tmp_path: Path, bucket: Bucket, written: bool
) -> None:
    await put_many(bucket, lambda number: photo(str(number)), 40)

    code = await asyncio.to_thread(
        run_child, watch_until_killed, tmp_path / "data", minio_address(), bucket.name, written
    )

    assert code == -signal.SIGKILL
    engine = await open_engine(tmp_path / "data")
    before = {event.id for event in await engine.uploads()}
    assert 0 < len(before) < 40
    async with watching(engine, bucket) as producer:
        await producer.drained()
    events = await engine.uploads()
    assert before < {event.id for event in events}
    assert len({event.id for event in events}) == 40
    assert {event.data.announcement for event in events} == {1}
    # What is said twice is at most what was under way when the process died.
    assert len(events) <= 40 + 3 * 4
    await engine.close()


async def watch_until_killed(
    data: Path, address: Mapping[str, str], name: str, written: bool
) -> None:
    engine = await open_engine(data)
    intake = engine.intake(log=Killing(engine.log, 2, written))
    bucket = Bucket(S3Connection(S3Options(**address)), name)
    async with watching(engine, bucket, intake=intake, batch_files=4) as producer:
        await producer.drained()


class CountingState:
    """A state store that counts how often it is asked."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += name != "close"
        return getattr(self._state, name)
