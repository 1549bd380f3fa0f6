"""Nothing lost and nothing double when the process is killed; real children, real signals."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.log.port import Message
from tests.producers.engine import open_engine, photo, watching

ROOT = Path(__file__).parents[2]
SPAWN = multiprocessing.get_context("spawn")


class Killing:
    """A log whose process is killed at its n-th write, before or after writing."""

    def __init__(self, log: Any, at: int, written: bool) -> None:
        self._log = log
        self._at = at
        self._written = written
        self._calls = 0

    async def publish(self, messages: Sequence[Message], fence: object = None) -> None:
        self._calls += 1
        if self._calls == self._at and not self._written:
            os.kill(os.getpid(), signal.SIGKILL)
        await self._log.publish(messages)
        if self._calls == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


async def watch_until_killed(data: Path, folder: Path, at: int, written: bool) -> None:
    engine = await open_engine(data)
    intake = engine.intake(log=Killing(engine.log, at, written))
    async with watching(engine, folder, intake=intake, batch_files=4) as producer:
        await producer.drained()


def run_child(work: Callable[..., Any], *arguments: object) -> int | None:
    # A child finds modules as we do, and must find this one, too, where the wheel is tested.
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    child = SPAWN.Process(target=_in_child, args=(work, *arguments))
    child.start()
    child.join(timeout=90)
    return child.exitcode


def _in_child(work: Callable[..., Any], *arguments: object) -> None:
    asyncio.run(work(*arguments))


@pytest.mark.parametrize("written", [False, True], ids=["before_the_event", "after_the_event"])
async def test_kill_9_around_an_announcement_leaves_exactly_one_id_a_file(
    tmp_path: Path, folder: Path, written: bool
) -> None:
    for number in range(40):
        (folder / f"{number}.jpg").write_bytes(photo(str(number)))

    code = await asyncio.to_thread(
        run_child, watch_until_killed, tmp_path / "data", folder, 2, written
    )

    assert code == -signal.SIGKILL
    engine = await open_engine(tmp_path / "data")
    before = {event.id for event in await engine.uploads()}
    assert 0 < len(before) < 40
    async with watching(engine, folder) as producer:
        await producer.drained()
    events = await engine.uploads()
    assert before < {event.id for event in events}
    assert len({event.id for event in events}) == 40
    assert {event.data.announcement for event in events} == {1}
    # What is said twice is at most what was under way when the process died.
    assert len(events) <= 40 + 3 * 4
    await engine.close()


async def test_what_was_stored_when_the_process_died_is_announced_though_its_file_is_gone(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "a.jpg").write_bytes(photo("a"))
    code = await asyncio.to_thread(
        run_child, watch_until_killed, tmp_path / "data", folder, 1, False
    )
    assert code == -signal.SIGKILL
    (folder / "a.jpg").unlink()

    engine = await open_engine(tmp_path / "data")
    async with watching(engine, folder) as producer:
        await producer.drained()
        assert producer.status.announced == 1

    (event,) = await engine.uploads()
    assert await engine.blobs.get(event.data.blob_key) == photo("a")
    await engine.close()
