"""The folder producer in trouble: full disks, folders that go away, files that may not be read."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.blobs.folder import FolderBlobStore
from core.errors import OutageError, SettingsError, StageStopError
from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.options import DecodeOptions
from core.runtime.retry import RetryPolicy
from producers.folder import FolderProducer
from tests.producers.engine import (
    Engine,
    Unprobed,
    announced,
    drop,
    eventually,
    photo,
    sha256,
    watching,
)
from tests.small_disk import fill, small_disk


async def test_a_full_disk_pauses_intake_says_so_once_and_it_resumes_by_itself(
    engine: Engine, folder: Path, lines: list[Any]
) -> None:
    blobs = FullDisk(engine.blobs)
    drop(folder / "a.jpg", "a")
    drop(folder / "b.mp4", "b", 1 << 20)

    async with watching(
        engine,
        folder,
        intake=engine.intake(blobs=blobs),
        retry=RetryPolicy(base_s=0.05, cap_s=0.1),
    ) as producer:
        await eventually(lambda: blobs.refused >= 3)
        assert producer.status.state == "paused"
        assert producer.status.reason == "the disk is full"
        drop(folder / "c.jpg", "c")
        blobs.full = False
        await producer.drained()
        await eventually(lambda: producer.status.state != "paused")

    assert len(await announced(engine)) == 3
    said = [line["event"] for line in lines if line["event"].startswith("intake_")]
    assert said == ["intake_paused", "intake_resumed"]


@pytest.mark.parametrize("size", [0, 3 << 20])
async def test_a_disk_that_is_really_full_pauses_intake_until_it_has_space(
    engine: Engine, tmp_path: Path, folder: Path, size: int
) -> None:
    drop(folder / "a.mp4", "a", size)

    with small_disk(tmp_path / "disk", "size=16m") as disk:
        blobs = await FolderBlobStore.open(disk / "blobs")
        fill(disk / "full")
        async with watching(
            engine,
            folder,
            intake=engine.intake(blobs=blobs),
            retry=RetryPolicy(base_s=0.1, cap_s=0.2),
        ) as producer:
            await eventually(lambda: producer.status.state == "paused")
            assert "free some space" in producer.status.reason

            (disk / "full").unlink()
            await producer.drained()
            assert producer.status.state == "watching"

        (event,) = await engine.uploads()
        assert await blobs.get(event.data.blob_key) == photo("a", size)
        await blobs.close()


async def test_a_file_that_does_not_fit_waits_alone_until_there_is_room(
    engine: Engine, folder: Path, lines: list[Any]
) -> None:
    blobs = Roomy(engine.blobs, 4 << 20)
    large = drop(folder / "a.mp4", "a", 8 << 20)
    probed = Noting()

    async with watching(
        engine, folder, prober=probed, intake=engine.intake(blobs=blobs), room_again_s=0.1
    ) as producer:
        drop(folder / "b.jpg", "b")
        await producer.drained()  # it is nothing to wait for
        drop(folder / "c.mp4", "c", 1 << 20)
        await eventually(lambda: producer.status.announced == 2)
        await eventually(lambda: blobs.asked > 9)
        status = producer.status
        assert (status.no_room, status.settling, status.state) == (1, 0, "watching")
        assert "a.mp4: 8.0 MiB do not fit, 4.0 MiB are missing" in status.why
        assert large not in probed.paths

        blobs.left = 16 << 20
        await eventually(lambda: producer.status.announced == 3)
        assert (producer.status.no_room, producer.status.why) == (0, "")

    said = [line for line in lines if line["event"] == "file_refused"]
    assert [line["why"] for line in said] == ["no_room"]
    assert not [line for line in lines if line["event"] == "intake_paused"]


async def test_a_file_over_the_limit_is_refused_with_the_setting_that_would_let_it_in(
    engine: Engine, folder: Path, lines: list[Any]
) -> None:
    large = folder / "a.mp4"
    large.touch()
    os.truncate(large, 1 << 43)  # of holes

    async with watching(
        engine, folder, max_file_bytes=1 << 30, undecodable_after_s=0.2, rescan_s=0.1
    ) as producer:
        drop(folder / "b.jpg", "b")
        await producer.drained()
        await eventually(lambda: producer.status.too_large == 1)
        assert "TAGGER_WATCH__MAX_FILE_MB" in producer.status.why
        assert producer.status.refused["too_large"] == 1

        drop(large, "smaller now")
        await eventually(lambda: producer.status.announced == 2)
        assert producer.status.too_large == 0

    (said,) = [line for line in lines if line["event"] == "file_refused"]
    assert said["uri"] == large.as_uri()
    assert "larger than 1,024 MiB" in said["reason"]


async def test_a_file_replaced_during_a_pause_is_announced_once_as_it_is_now(
    engine: Engine, folder: Path
) -> None:
    blobs = FullDisk(engine.blobs)
    path = drop(folder / "a.jpg", "old")

    async with watching(
        engine,
        folder,
        intake=engine.intake(blobs=blobs),
        retry=RetryPolicy(base_s=0.4, cap_s=0.4),
    ) as producer:
        await eventually(lambda: blobs.refused >= 1)
        path.unlink()
        await eventually(lambda: producer.status.seen == 0)
        drop(path, "new")
        await eventually(lambda: blobs.refused >= 3)
        blobs.full = False
        await producer.drained()

    assert await announced(engine) == {(path.as_uri(), 1): sha256(photo("new"))}


async def test_the_real_decoder_tells_whole_pictures_from_halves(
    engine: Engine, folder: Path
) -> None:
    picture = io.BytesIO()
    Image.effect_noise((320, 240), 64).convert("RGB").save(picture, "JPEG")
    data = picture.getvalue()
    whole, half = folder / os.fsdecode(b"caf\xe9.jpg"), folder / "half.jpg"
    whole.write_bytes(data)
    half.write_bytes(data[: len(data) // 2])

    async with DecoderPool(1, time_limit_s=60, memory_limit_bytes=1 << 30) as pool:
        prober = Decoder(pool, DecodeOptions())
        async with watching(engine, folder, prober=prober) as producer:
            await eventually(lambda: producer.status.announced == producer.status.undecodable == 1)
            half.write_bytes(data)
            await producer.drained()

    assert await announced(engine) == {
        (whole.as_uri(), 1): sha256(data),
        (half.as_uri(), 1): sha256(data),
    }


async def test_a_folder_that_goes_away_pauses_and_one_that_comes_back_is_watched_again(
    engine: Engine, folder: Path
) -> None:
    drop(folder / "a.jpg", "a")
    async with watching(engine, folder, rescan_s=0.2) as producer:
        await producer.drained()
        away = await asyncio.to_thread(folder.rename, folder.parent / "unmounted")
        await eventually(lambda: producer.status.state == "paused")
        assert "away" in producer.status.reason

        away.rename(folder)
        await eventually(lambda: producer.status.state == "watching")
        drop(folder / "b.jpg", "b")
        await eventually(lambda: producer.status.announced == 2)

    assert len(await announced(engine)) == 2


async def test_a_file_that_may_not_be_read_waits_and_keeps_nobody_waiting(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden = drop(folder / "a.jpg", "a")
    drop(folder / "b.jpg", "b")
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == forbidden:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)

    async with watching(engine, folder, prober=Unprobed()) as producer:
        await producer.drained()
        assert producer.status.unreadable == 1
        assert producer.status.settling == 0

        monkeypatch.undo()
        os.utime(forbidden)
        await producer.drained()
        assert producer.status.unreadable == 0

    assert len(await announced(engine)) == 2


async def test_a_folder_that_meets_the_engines_own_is_refused(engine: Engine, folder: Path) -> None:
    for watched, data in ((folder, folder / "data"), (engine.data / "blobs", engine.data)):
        with pytest.raises(SettingsError, match="data folder"):
            make(engine, watched, data)


async def test_a_missing_folder_is_refused(engine: Engine, folder: Path) -> None:
    with pytest.raises(SettingsError, match="missing"):
        make(engine, folder / "nowhere", engine.data)


async def test_who_waits_for_a_stopped_producer_is_told(engine: Engine, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"no picture")
    async with watching(engine, folder) as producer:
        waiting = asyncio.create_task(producer.drained())
        await eventually(lambda: producer.status.undecodable == 1)

    with pytest.raises(StageStopError):
        await waiting


async def test_who_asks_after_the_end_is_told_so(engine: Engine, folder: Path) -> None:
    async with watching(engine, folder) as producer:
        pass

    with pytest.raises(StageStopError):
        async with asyncio.timeout(30):
            await producer.drained()


async def test_an_error_that_no_waiting_mends_ends_the_producer_though_it_is_stopping(
    engine: Engine, folder: Path
) -> None:
    blobs = Broken(engine.blobs)
    drop(folder / "a.jpg", "a")

    with pytest.raises(ZeroDivisionError):
        async with watching(engine, folder, intake=engine.intake(blobs=blobs)):
            await blobs.asked.wait()
            blobs.go_on.set()


def make(engine: Engine, folder: Path, data: Path) -> FolderProducer:
    return FolderProducer(
        folder, intake=engine.intake(), state=engine.state, prober=Unprobed(), data_folder=data
    )


class FullDisk:
    """A blob store that refuses what is new until its disk has space again."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs
        self.full = True
        self.refused = 0

    async def put(self, blobs: Any) -> None:
        if self.full and blobs:
            self.refused += 1
            raise OutageError("the disk is full")
        await self._blobs.put(blobs)

    async def stat(self, key: str) -> Any:
        return await self._blobs.stat(key)

    async def room(self) -> int | None:
        return None


class Roomy(FullDisk):
    """A blob store with this many bytes left."""

    def __init__(self, blobs: Any, left: int) -> None:
        super().__init__(blobs)
        self.full, self.left, self.asked = False, left, 0

    async def room(self) -> int:
        self.asked += 1
        return self.left


class Noting(Unprobed):
    """A prober that knows what it was asked about."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    async def probe(self, path: Path, kind: str) -> object:
        self.paths.append(path)
        return None


class Broken:
    """A blob store with a mistake in it, which shows when it is let."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def stat(self, key: str) -> Any:
        return await self._blobs.stat(key)

    async def room(self) -> None:
        return None

    async def put(self, blobs: Any) -> None:
        self.asked.set()
        await self.go_on.wait()
        raise ZeroDivisionError("a mistake in the store")
