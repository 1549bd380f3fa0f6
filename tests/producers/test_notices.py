from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from producers import folder_notices
from producers.folder_notices import FolderNotices
from tests.producers.engine import eventually, names


async def test_the_self_test_passes_where_events_come_and_leaves_nothing(folder: Path) -> None:
    paths: set[str] = set()
    watch = FolderNotices(str(folder), paths.update)

    assert await watch.start(10.0) is None
    (folder / "sub").mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    await eventually(lambda: paths >= {str(folder / "a.jpg"), str(folder / "sub")})
    await watch.stop()

    assert names(folder) == {"a.jpg", "sub"}
    assert not any("probe" in path for path in paths)


async def test_reading_a_file_is_no_hint(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"x")
    paths: set[str] = set()
    watch = FolderNotices(str(folder), paths.update)
    await watch.start(10.0)

    (folder / "a.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(b"x")
    await eventually(lambda: str(folder / "b.jpg") in paths)
    await watch.stop()

    assert str(folder / "a.jpg") not in paths


async def test_a_file_system_without_events_is_found_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_notices._Handler, "dispatch", lambda self, event: None)
    watch = FolderNotices(str(folder), lambda paths: None)

    reason = await watch.start(0.1)
    await watch.stop()

    assert reason == "no file events come from this file system"
    assert names(folder) == set()


async def test_a_remote_file_system_is_not_trusted_though_its_self_test_would_pass(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nnas:/p {folder} nfs4 rw 0 0\n")
    monkeypatch.setattr(folder_notices, "_MOUNTS", mounts)
    watch = FolderNotices(str(folder), lambda paths: None)

    reason = await watch.start(10.0)
    await watch.stop()

    assert reason == "nfs4 tells nothing of changes made elsewhere"


async def test_a_limit_on_watches_is_a_reason_and_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Limited:
        def schedule(self, *args: object, **options: object) -> None:
            raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(folder_notices, "Observer", Limited)
    watch = FolderNotices(str(folder), lambda paths: None)

    assert "inotify watch limit reached" in (await watch.start(0.1) or "")
    await watch.stop()


async def test_who_stops_amid_a_long_subscription_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(threading.Thread):
        asked, let, stopped = threading.Event(), threading.Event(), threading.Event()

        def schedule(self, *args: object, **options: object) -> None:
            pass

        def start(self) -> None:
            self.asked.set()
            self.let.wait(30)

        def stop(self) -> None:
            self.stopped.set()

    monkeypatch.setattr(folder_notices, "Observer", Slow)
    watch = FolderNotices(str(folder), lambda paths: None)
    starting = asyncio.create_task(watch.start(10.0))
    await asyncio.to_thread(Slow.asked.wait)

    starting.cancel()
    await watch.stop()

    assert Slow.stopped.is_set()
    Slow.let.set()
