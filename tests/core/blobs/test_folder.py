"""What is particular to blobs in a folder: leftovers, full disks, unmounted disks, other people."""

from __future__ import annotations

import errno
import filecmp
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.blobs.staging import Staging
from core.errors import BlobMissingError, DoesNotFitError, InvalidKeyError, OutageError
from tests.small_disk import fill, small_disk, use_up_inodes


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobStore]:
    store = await FolderBlobStore.open(tmp_path / "data" / "blobs")
    yield store
    await store.close()


@pytest.fixture
def root(blobs: FolderBlobStore, tmp_path: Path) -> Path:
    return tmp_path / "data" / "blobs"


def _jpg(key: str, data: bytes = b"x") -> Blob:
    return Blob(key, data, "image/jpeg")


def _files(root: Path) -> list[str]:
    """Everything below the root but the store's own locks, hidden or not."""
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(root)) for path in found if path.name not in _LOCKS)


_LOCKS = ("gate", "lock")


def _unmount(root: Path) -> Callable[[], None]:
    """Leaves the empty folder that the disk was mounted on; the result brings the disk back."""
    away = root.rename(root.with_name("elsewhere"))
    root.mkdir()

    def remount() -> None:
        root.rmdir()
        away.rename(root)

    return remount


async def test_the_blob_is_the_file_and_needs_no_other(blobs: FolderBlobStore, root: Path) -> None:
    await blobs.put([_jpg("crops/a.jpg", b"pixels")])

    async with blobs.local("crops/a.jpg") as path:
        assert path == root / "crops" / "a.jpg"
    assert _files(root) == ["crops/a.jpg"]


async def test_deleting_takes_emptied_folders_along(blobs: FolderBlobStore, root: Path) -> None:
    await blobs.put([Blob("a/b/c/1.jpg", b"x", "image/odd"), _jpg("a/2.jpg")])

    await blobs.delete(["a/b/c/1.jpg"])

    assert _files(root) == ["a/2.jpg"]
    assert not (root / "a" / "b").exists()
    await blobs.delete(["a/2.jpg"])
    await blobs.put([_jpg("a/3.jpg")])
    assert _files(root) == ["a/3.jpg"]


async def test_leftovers_of_a_crash_are_never_listed_and_go_at_the_next_start(
    blobs: FolderBlobStore, root: Path
) -> None:
    dead = root / ".incoming" / "of-a-dead-process"
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "half-a-blob").write_bytes(b"hal")

    assert [found async for found in blobs.list("")] == []
    await (await FolderBlobStore.open(root)).close()

    assert not dead.exists()


async def test_a_start_leaves_the_unfinished_files_of_the_living_alone(
    blobs: FolderBlobStore, root: Path
) -> None:
    living = Staging(root)
    unfinished = living.write(b"on its way")

    await (await FolderBlobStore.open(root)).close()

    assert unfinished.read_bytes() == b"on its way"
    living.close()
    assert not unfinished.exists()


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "is full"), (errno.EIO, "cannot be used")]
)
async def test_a_disk_that_refuses_is_an_outage_that_names_the_folder(
    blobs: FolderBlobStore,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    says: str,
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OutageError) as caught:
            await blobs.put([_jpg("a/b.jpg")])

    assert str(root) in str(caught.value)
    assert says in str(caught.value)
    assert _files(root) == []
    await blobs.put([_jpg("a/b.jpg")])
    assert _files(root) == ["a/b.jpg"]


async def test_an_unmounted_disk_is_an_outage_and_no_loss(
    blobs: FolderBlobStore, root: Path
) -> None:
    await blobs.put([_jpg("a.jpg")])
    remount = _unmount(root)

    with pytest.raises(OutageError, match="unmounted"):
        await blobs.get("a.jpg")
    with pytest.raises(OutageError, match="unmounted"):
        await blobs.stat("a.jpg")
    with pytest.raises(OutageError):
        await blobs.put([_jpg("b.jpg")])
    with pytest.raises(OutageError, match="unmounted"):
        [found async for found in blobs.list("a/")]

    remount()
    assert await blobs.get("a.jpg") == b"x"


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells what a handle stands for")
async def test_names_are_synced_up_to_the_root_before_put_returns(
    blobs: FolderBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    sync = os.fsync

    def note(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    await blobs.put([_jpg("a/b/1.jpg"), _jpg("a/b/2.jpg"), _jpg("a/c/1.jpg")])

    folders = synced[3:]
    assert all(path.parent.parent == root / ".incoming" for path in synced[:3])
    assert sorted(folders) == [root, root / "a", root / "a" / "b", root / "a" / "c"]


async def test_no_key_goes_on_where_another_one_ends(blobs: FolderBlobStore, root: Path) -> None:
    await blobs.put([_jpg("a/b.jpg", b"first")])

    for key in ("a", "a/b.jpg/c.jpg", "a/b.jpg/c/d.jpg"):
        with pytest.raises(InvalidKeyError, match=key):
            await blobs.put([_jpg(key)])

    assert _files(root) == ["a/b.jpg"]
    assert await blobs.get("a/b.jpg") == b"first"


async def test_what_others_put_into_the_folder_does_no_harm(
    blobs: FolderBlobStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("outside")
    (root / "@eaDir").mkdir()
    (root / ".DS_Store").touch()
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")

    await blobs.put([_jpg("a.jpg")])

    assert [found.key async for found in blobs.list("")] == ["a.jpg"]
    with pytest.raises(BlobMissingError):
        await blobs.get("@eaDir")


async def test_the_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "blobs").symlink_to("large-disk")

    blobs = await FolderBlobStore.open(tmp_path / "blobs")
    await blobs.put([_jpg("a.jpg")])
    await blobs.close()

    assert (tmp_path / "large-disk" / "a.jpg").read_bytes() == b"x"


async def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutageError, match="file"):
        await FolderBlobStore.open(tmp_path / "file" / "blobs")


async def test_a_disk_without_inodes_is_not_called_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=60") as disk:
        blobs = await FolderBlobStore.open(disk / "blobs")
        use_up_inodes(disk / "many")

        with pytest.raises(OutageError, match=r"no inodes left, though 8\.\d MiB are free"):
            await blobs.put([_jpg("a.jpg")])
        assert await blobs.room() == 0
        await blobs.close()


async def test_room_is_what_a_disk_has_beside_what_is_kept_free(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=10m") as disk:
        blobs = await FolderBlobStore.open(disk / "blobs")

        assert 9 << 20 < await blobs.room() < (10 << 20) - (10 << 20) // 50
        fill(disk / "much")
        assert await blobs.room() == 0
        with pytest.raises(OutageError, match=r"full, 0\.0 MiB are left: free some space"):
            await blobs.put([_jpg("a.jpg", bytes(1 << 20))])
        await blobs.close()


@pytest.mark.parametrize("end", [b"", b"the end"])
async def test_a_hole_in_a_file_takes_no_room(
    blobs: FolderBlobStore, root: Path, tmp_path: Path, end: bytes
) -> None:
    sparse = tmp_path / "a.mp4"
    with sparse.open("wb") as file:
        file.write(b"the start")
        file.seek(64 << 20)
        file.write(end)
        file.truncate((64 << 20) + len(end))

    await blobs.put([Blob("a.mp4", sparse, "video/mp4")])

    assert (root / "a.mp4").stat().st_blocks * 512 < 1 << 20
    assert filecmp.cmp(root / "a.mp4", sparse, shallow=False)


async def test_a_file_larger_than_files_may_be_concerns_only_itself(
    blobs: FolderBlobStore, tmp_path: Path
) -> None:
    large = tmp_path / "a.mp4"
    large.write_bytes(bytes(range(256)) * (1 << 13))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(DoesNotFitError, match="no file of this size"):
            await blobs.put([Blob("a.mp4", large, "video/mp4")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
