from __future__ import annotations

import asyncio
import os
from pathlib import Path

from core.database.bell import Bell


class Counter:
    value = 0

    def __call__(self) -> int:
        return self.value


async def test_ringing_wakes_who_listens_to_the_channel(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "wake", Counter())
    looks, hats = bell.alarm(["looks"]), bell.alarm(["hats"])
    looks.clear()
    hats.clear()

    rung = bell.ring({"looks"})

    assert rung == [looks]
    bell.close()


async def test_an_alarm_that_is_still_set_is_not_set_again(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "wake", Counter())
    bell.alarm(["looks"])

    assert bell.ring({"looks"}) == []
    bell.close()


async def test_another_process_is_woken_through_its_pipe(tmp_path: Path) -> None:
    counter = Counter()
    here, there = Bell(tmp_path / "wake", counter), Bell(tmp_path / "wake", counter)
    alarm = here.alarm(["looks"])
    alarm.clear()

    there.ring({"hats"})

    # Another process does not say what changed, so everybody looks.
    assert await alarm.wait(30)
    here.close()


async def test_a_change_without_a_ring_is_seen_after_a_while(tmp_path: Path) -> None:
    counter = Counter()
    bell = Bell(tmp_path / "wake", counter)
    alarm = bell.alarm(["looks"])
    alarm.clear()
    await asyncio.sleep(0.1)

    counter.value = 1

    assert await alarm.wait(30)
    bell.close()


async def test_without_named_pipes_changes_are_still_seen(tmp_path: Path) -> None:
    (tmp_path / "wake").write_text("a file where the folder would be")
    counter = Counter()
    bell = Bell(tmp_path / "wake", counter)
    alarm = bell.alarm(["looks"])
    alarm.clear()
    await asyncio.sleep(0.1)

    counter.value = 1

    assert await alarm.wait(30)
    bell.close()


async def test_the_pipe_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    (tmp_path / "wake").mkdir()
    os.mkfifo(tmp_path / "wake" / "4242-dead.fifo")
    bell = Bell(tmp_path / "wake", Counter())

    bell.ring({"looks"})

    assert list((tmp_path / "wake").iterdir()) == []


async def test_a_closed_bell_leaves_nothing_behind(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "wake", Counter())
    bell.alarm(["looks"])
    assert len(list((tmp_path / "wake").iterdir())) == 1

    bell.close()

    assert list((tmp_path / "wake").iterdir()) == []


async def test_waiting_ends_with_its_timeout(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "wake", Counter())
    alarm = bell.alarm(["looks"])
    alarm.clear()

    assert not await alarm.wait(0.01)
    bell.close()
