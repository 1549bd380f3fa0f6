"""The folder producer day by day: arrivals, slow writers, replaced files, odd names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from producers import folder_notices
from tests.producers.engine import (
    Engine,
    Unprobed,
    announced,
    drop,
    eventually,
    names,
    photo,
    sha256,
    watching,
)


async def test_what_lay_there_at_the_start_is_announced(engine: Engine, folder: Path) -> None:
    path = drop(folder / "a.jpg", "a")

    async with watching(engine, folder) as producer:
        await producer.drained()

    assert await announced(engine) == {(path.as_uri(), 1): sha256(photo("a"))}


async def test_what_arrives_later_is_announced_by_its_events_alone(
    engine: Engine, folder: Path
) -> None:
    async with watching(engine, folder, rescan_s=3600.0) as producer:
        await producer.drained()
        drop(folder / "a.jpg", "a")
        drop(folder / "album" / "deep" / "b.jpg", "b")
        drop(folder / "c.jpg.part", "c").rename(folder / "c.jpg")
        drop(folder.parent / "moved" / "d.jpg", "d").parent.rename(folder / "moved")
        await eventually(lambda: producer.status.announced == 4)

        assert producer.status.state == "watching"
        assert producer.status.seen == 4

    assert {uri.rpartition("/")[2] for uri, _ in await announced(engine)} == {
        *("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    }


async def test_a_restart_announces_only_what_is_new(engine: Engine, folder: Path) -> None:
    drop(folder / "a.jpg", "a")
    async with watching(engine, folder) as producer:
        await producer.drained()
    drop(folder / "b.jpg", "b")

    async with watching(engine, folder) as producer:
        await producer.drained()

        assert producer.status.announced == 1
        assert producer.status.seen == 2
    assert len(await announced(engine)) == 2


async def test_the_timer_finds_what_no_event_told_of_and_polls_from_then_on(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(engine, folder, rescan_s=0.3) as producer:
        await producer.drained()
        monkeypatch.setattr(folder_notices._Handler, "dispatch", lambda self, event: None)

        drop(folder / "a.jpg", "a")
        await eventually(lambda: producer.status.announced == 1)

        assert producer.status.state == "polling"
        assert "without a file event" in producer.status.reason


async def test_a_file_system_without_events_is_polled(
    engine: Engine, folder: Path, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_notices._Handler, "dispatch", lambda self, event: None)
    async with watching(engine, folder, self_test_s=0.1) as producer:
        await producer.drained()
        assert producer.status.state == "polling"

        drop(folder / "a.jpg", "a")
        await eventually(lambda: producer.status.announced == 1)

    assert [line["reason"] for line in lines if line["event"] == "polling_started"] == [
        "no file events come from this file system"
    ]


async def test_a_slowly_written_file_is_announced_once_and_whole(
    engine: Engine, folder: Path
) -> None:
    path, piece = folder / "a.jpg", b"x" * 1000

    async with watching(engine, folder, prober=Unprobed(), settle_s=1.0) as producer:
        await producer.drained()
        with path.open("wb") as file:
            for _ in range(60):
                file.write(piece)
                file.flush()
                await asyncio.sleep(0.03)
        await producer.drained()

    assert await announced(engine) == {(path.as_uri(), 1): sha256(piece * 60)}


async def test_a_file_that_stalls_half_written_waits_until_it_decodes(
    engine: Engine, folder: Path
) -> None:
    path, data = folder / "a.jpg", photo("a", 1000)

    async with watching(engine, folder) as producer:
        path.write_bytes(data[:500])
        await eventually(lambda: producer.status.undecodable == 1)
        assert producer.status.settling == 1
        path.write_bytes(data)
        await producer.drained()
        assert producer.status.undecodable == 0

    assert await announced(engine) == {(path.as_uri(), 1): sha256(data)}


async def test_a_still_file_that_never_decodes_is_announced_for_its_sender_to_get_a_reason(
    engine: Engine, folder: Path, lines: list[Any]
) -> None:
    path = folder / "a.jpg"
    path.write_bytes(b"no picture")

    async with watching(engine, folder, undecodable_after_s=0.5) as producer:
        await producer.drained()

    assert await announced(engine) == {(path.as_uri(), 1): sha256(b"no picture")}
    assert [line["event"] for line in lines if "reason" in line] == [
        "file_refused",
        "undecodable_announced",
    ]


async def test_an_empty_file_is_no_exception(engine: Engine, folder: Path) -> None:
    (folder / "a.jpg").touch()

    async with watching(engine, folder, undecodable_after_s=0.3) as producer:
        await producer.drained()

    assert len(await announced(engine)) == 1


async def test_new_bytes_under_the_same_name_are_announced_again(
    engine: Engine, folder: Path
) -> None:
    path = drop(folder / "a.jpg", "one")

    async with watching(engine, folder) as producer:
        await producer.drained()
        drop(folder / "b.jpg.tmp", "two").replace(path)
        await producer.drained()
        drop(path, "three")
        await producer.drained()

    assert await announced(engine) == {
        (path.as_uri(), 1): sha256(photo("one")),
        (path.as_uri(), 2): sha256(photo("two")),
        (path.as_uri(), 3): sha256(photo("three")),
    }


async def test_a_touched_file_is_read_once_more_and_not_announced(
    engine: Engine, folder: Path
) -> None:
    path = drop(folder / "a.jpg", "a")
    async with watching(engine, folder) as producer:
        await producer.drained()
        os.utime(path, ns=(5, 5))
        await producer.drained()
        assert producer.status.announced == 1
    reads = Noting()

    async with watching(engine, folder, prober=reads) as producer:
        await producer.drained()

    assert len(await announced(engine)) == 1
    assert reads.paths == []


async def test_a_file_that_went_and_came_back_is_not_announced_again(
    engine: Engine, folder: Path
) -> None:
    path = drop(folder / "a.jpg", "a")
    async with watching(engine, folder) as producer:
        await producer.drained()
        path.unlink()
        await eventually(lambda: producer.status.seen == 0)
        drop(path, "a")
        await producer.drained()

    assert len(await announced(engine)) == 1


async def test_the_same_bytes_in_two_places_are_two_announcements_of_one_medium(
    engine: Engine, folder: Path
) -> None:
    drop(folder / "a.jpg", "same")
    drop(folder / "album" / "b.jpg", "same")

    async with watching(engine, folder) as producer:
        await producer.drained()

    events = await engine.uploads()
    assert len({event.data.media_id for event in events}) == 1
    assert len({event.root for event in events}) == 2


async def test_a_file_deleted_while_it_settles_is_forgotten(engine: Engine, folder: Path) -> None:
    path = drop(folder / "a.jpg", "a")

    async with watching(engine, folder, settle_s=1.0) as producer:
        await eventually(lambda: producer.status.settling == 1)
        path.unlink()
        await producer.drained()
        assert producer.status.seen == 0

    assert await announced(engine) == {}


async def test_odd_names_become_valid_uris(engine: Engine, folder: Path) -> None:
    names = [b"\xff\xfe raw.jpg", "été 日本.jpg".encode(), b"two\nlines.jpg", b"100% #1?.jpg"]
    for number, name in enumerate(names):
        drop(folder / os.fsdecode(name), str(number))

    async with watching(engine, folder) as producer:
        await producer.drained()
    async with watching(engine, folder) as producer:
        await producer.drained()

    assert {uri.rpartition("/")[2] for uri, _ in await announced(engine)} == {
        "%FF%FE%20raw.jpg",
        "%C3%A9t%C3%A9%20%E6%97%A5%E6%9C%AC.jpg",
        "two%0Alines.jpg",
        "100%25%20%231%3F.jpg",
    }


async def test_other_kinds_are_counted_and_links_that_leave_are_ignored(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    drop(folder / "notes.txt", "a")
    drop(folder / "album" / "b.txt", "b")
    drop(folder / "c.pdf", "c")
    (folder / "out.jpg").symlink_to(drop(tmp_path / "out.jpg", "d"))
    drop(folder / ".hidden.jpg", "e")

    async with watching(engine, folder) as producer:
        await producer.drained()

        assert producer.status.ignored == {".txt": 2, ".pdf": 1}
        assert producer.status.seen == 0


async def test_originals_stay_as_they_are(engine: Engine, folder: Path) -> None:
    paths = [drop(folder / "a.jpg", "a"), drop(folder / "album" / "b.mp4", "b", 1 << 20)]
    before = [(path.read_bytes(), path.stat()) for path in paths]

    async with watching(engine, folder) as producer:
        await producer.drained()

    for path, (data, status) in zip(paths, before, strict=True):
        now = path.stat()
        assert path.read_bytes() == data
        assert (now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_mode) == (
            *(status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_mode),
        )
    assert names(folder) == {"a.jpg", "album"}


class Noting:
    """A prober that notes what it is asked about."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    async def probe(self, path: Path, kind: str) -> object:
        self.paths.append(path)
        return None
