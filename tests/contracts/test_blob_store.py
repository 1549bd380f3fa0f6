"""What every blob store promises."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core.blobs.port import Blob, BlobStore
from core.errors import BlobMissingError, InvalidKeyError
from tests.contracts.blob_factories import BLOBS, BlobAdapter, OpenBlobs
from tests.contracts.blob_writer import content

_ROOT = Path(__file__).parents[2]

_REFUSED_KEYS = [
    "",
    "/etc/passwd",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../../b",
    "a/./b",
    "a/.hidden",
    "a\\..\\b",
    "a\0b",
    "a\nb",
    "a\ud800b",
    "x" * 241,
    "ü" * 121,
    "/".join(["x" * 200] * 6),
]

_ODD_KEYS = [
    "with space/and+plus.jpg",
    "per%20cent/%2e%2e/100%",
    "question?mark#hash&amp;=.png",
    "quotes'\"`$HOME;*[x]{y}",
    "a..b/c...",
    "日本/Ünïcode/🎽.jpg",
    "~/-rf",
    "x" * 240,
    "/".join(["x" * 203] * 5),
]


@pytest.fixture(params=BLOBS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> BlobAdapter:
    found: BlobAdapter = request.param
    return found


@pytest.fixture
async def open_blobs(adapter: BlobAdapter, tmp_path: Path) -> AsyncIterator[OpenBlobs]:
    """Opens the test's store; again for a restart or a second user. Closed by the test's end."""
    connect = adapter.at(tmp_path)
    async with AsyncExitStack() as stack:

        async def open_one() -> BlobStore:
            blobs = await connect()
            stack.push_async_callback(blobs.close)
            return blobs

        yield open_one


@pytest.fixture
async def blobs(open_blobs: OpenBlobs) -> BlobStore:
    return await open_blobs()


async def _keys(blobs: BlobStore, prefix: str = "") -> list[str]:
    return [found.key async for found in blobs.list(prefix)]


def _jpg(key: str, data: bytes = b"x") -> Blob:
    return Blob(key, data, "image/jpeg")


async def test_what_was_put_is_got(blobs: BlobStore) -> None:
    await blobs.put([_jpg("crops/1.jpg", b"\x00\xff"), _jpg("crops/empty.jpg", b"")])

    assert await blobs.get("crops/1.jpg") == b"\x00\xff"
    assert await blobs.get("crops/empty.jpg") == b""


async def test_a_file_is_copied_and_left_as_it_was(blobs: BlobStore, tmp_path: Path) -> None:
    original = tmp_path / "film.mp4"
    original.write_bytes(bytes(range(256)) * 20_000)

    await blobs.put([Blob("originals/film.mp4", original, "video/mp4")])

    assert await blobs.get("originals/film.mp4") == original.read_bytes()
    original.write_bytes(b"changed")
    found = await blobs.stat("originals/film.mp4")
    assert found is not None
    assert found.size == 5_120_000


async def test_a_file_that_cannot_be_read_is_said_so(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await blobs.put([Blob("originals/a.mp4", tmp_path / "gone.mp4", "video/mp4")])

    assert await _keys(blobs) == []


async def test_a_later_put_replaces(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a.jpg", b"first, and longer")])

    await blobs.put([_jpg("a.jpg", b"second"), _jpg("a.jpg", b"third")])

    assert await blobs.get("a.jpg") == b"third"
    assert await _keys(blobs) == ["a.jpg"]


async def test_nothing_to_put_is_fine(blobs: BlobStore) -> None:
    await blobs.put([])
    await blobs.delete([])

    assert await _keys(blobs) == []


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a.jpg", "image/jpeg"),
        ("a.jpg", "image/x-something-else"),
        ("a", "image/png"),
        ("a.tar.unheard-of", "application/json; charset=utf-8"),
    ],
)
async def test_the_content_type_is_kept(blobs: BlobStore, key: str, content_type: str) -> None:
    await blobs.put([Blob(key, b"x", content_type)])

    found = await blobs.stat(key)
    listed = [entry async for entry in blobs.list("")]

    assert found is not None
    assert found.content_type == content_type
    assert [(entry.key, entry.content_type) for entry in listed] == [(key, content_type)]


async def test_the_content_type_is_replaced_with_the_blob(blobs: BlobStore) -> None:
    for content_type in ("image/png", "image/jpeg", "image/webp", "image/jpeg"):
        await blobs.put([Blob("a.jpg", b"x", content_type)])
        found = await blobs.stat("a.jpg")

        assert found is not None
        assert found.content_type == content_type


async def test_a_deleted_content_type_does_not_come_back(blobs: BlobStore) -> None:
    await blobs.put([Blob("a.jpg", b"x", "image/png")])
    await blobs.delete(["a.jpg"])
    await blobs.put([_jpg("a.jpg")])

    found = await blobs.stat("a.jpg")

    assert found is not None
    assert found.content_type == "image/jpeg"


async def test_stat_tells_size_and_time(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a.jpg", b"12345")])

    found = await blobs.stat("a.jpg")

    assert found is not None
    assert (found.key, found.size) == ("a.jpg", 5)
    assert abs(found.modified - time.time()) < 60
    assert [entry async for entry in blobs.list("a")] == [found]


async def test_what_is_not_there_is_missing(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a/b.jpg")])

    for key in ("nothing", "a", "a/b", "a/b.jpg/c", "x/y/z"):
        assert await blobs.stat(key) is None
        with pytest.raises(BlobMissingError, match=key):
            await blobs.get(key)
        with pytest.raises(BlobMissingError, match=key):
            async with blobs.local(key):
                pass


async def test_deleting_removes_and_minds_no_missing_key(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a/1.jpg"), _jpg("a/2.jpg"), _jpg("b/1.jpg")])

    await blobs.delete(["a/1.jpg", "b/1.jpg", "a", "never/there", "a/2.jpg/below"])

    assert await _keys(blobs) == ["a/2.jpg"]
    assert await blobs.stat("a/1.jpg") is None


async def test_a_name_is_free_again_when_all_below_it_is_deleted(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a/b/c.jpg")])
    await blobs.delete(["a/b/c.jpg"])

    await blobs.put([_jpg("a", b"now a blob")])

    assert await _keys(blobs) == ["a"]


async def test_listing_is_by_prefix_and_sorted(blobs: BlobStore) -> None:
    keys = ["a-b", "a.jpg", "a/b.jpg", "a/b/c.jpg", "a/b0", "a/ü", "ab", "b/10", "b/9", "日"]
    await blobs.put([_jpg(key) for key in reversed(keys)])

    assert await _keys(blobs) == sorted(keys)
    assert await _keys(blobs, "a") == sorted(keys[:7])
    assert await _keys(blobs, "a/") == ["a/b.jpg", "a/b/c.jpg", "a/b0", "a/ü"]
    assert await _keys(blobs, "a/b/") == ["a/b/c.jpg"]
    assert await _keys(blobs, "b/1") == ["b/10"]
    assert await _keys(blobs, "nothing/here") == []


async def test_a_long_listing_is_whole(blobs: BlobStore) -> None:
    keys = sorted(f"frames/{number // 100}/{number}.jpg" for number in range(600))
    await blobs.put([_jpg(key) for key in keys])

    assert await _keys(blobs, "frames/") == keys


async def test_blobs_may_be_deleted_while_they_are_listed(blobs: BlobStore) -> None:
    await blobs.put([_jpg(f"a/{number:04d}.jpg") for number in range(300)])

    async for found in blobs.list(""):
        await blobs.delete([found.key])

    assert await _keys(blobs) == []


@pytest.mark.parametrize("key", _REFUSED_KEYS)
async def test_a_key_that_leaves_the_store_is_refused(blobs: BlobStore, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        await blobs.put([_jpg("fine.jpg"), _jpg(key)])
    with pytest.raises(InvalidKeyError):
        await blobs.get(key)
    with pytest.raises(InvalidKeyError):
        async with blobs.local(key):
            pass
    with pytest.raises(InvalidKeyError):
        await blobs.stat(key)
    with pytest.raises(InvalidKeyError):
        await blobs.delete(["fine.jpg", key])
    assert await _keys(blobs) == []


@pytest.mark.parametrize("prefix", ["/", "/etc", "..", "../", "a/../b", "a//", ".hidden"])
async def test_a_prefix_that_leaves_the_store_is_refused(blobs: BlobStore, prefix: str) -> None:
    with pytest.raises(InvalidKeyError):
        await _keys(blobs, prefix)


@pytest.mark.parametrize("key", _ODD_KEYS)
async def test_odd_keys_are_kept_as_they_are(blobs: BlobStore, key: str) -> None:
    await blobs.put([Blob(key, key.encode(), "image/x-odd")])

    assert await _keys(blobs) == [key]
    assert await _keys(blobs, key[:3]) == [key]
    assert await blobs.get(key) == key.encode()
    await blobs.delete([key])
    assert await _keys(blobs) == []


async def test_a_local_file_holds_the_blob(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a/b.jpg", b"pixels")])

    async with blobs.local("a/b.jpg") as path:
        assert path.read_bytes() == b"pixels"


async def test_a_local_files_trouble_is_the_readers_own(blobs: BlobStore) -> None:
    await blobs.put([_jpg("a.jpg")])

    with pytest.raises(IsADirectoryError):
        async with blobs.local("a.jpg"):
            raise IsADirectoryError("of the reader")


async def test_blobs_outlive_the_store_that_put_them(open_blobs: OpenBlobs) -> None:
    first = await open_blobs()
    await first.put([Blob("a/b", b"kept", "image/png")])
    await first.close()

    second = await open_blobs()
    found = await second.stat("a/b")

    assert await second.get("a/b") == b"kept"
    assert found is not None
    assert found.content_type == "image/png"


async def test_two_users_see_each_others_blobs(open_blobs: OpenBlobs) -> None:
    one, other = await open_blobs(), await open_blobs()

    await one.put([_jpg("a.jpg", b"one")])
    await other.put([_jpg("a.jpg", b"other"), _jpg("b.jpg")])

    assert await one.get("a.jpg") == b"other"
    assert await _keys(one) == ["a.jpg", "b.jpg"]


async def test_a_reader_meets_the_old_blob_or_the_new_one(blobs: BlobStore) -> None:
    versions = [bytes([number]) * 300_000 for number in range(20)]
    await blobs.put([_jpg("a.jpg", versions[0])])

    async def write() -> None:
        for version in versions:
            await blobs.put([_jpg("a.jpg", version)])

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await blobs.get("a.jpg") in versions
    await writing


async def test_puts_and_deletes_beside_each_other_lose_nothing(blobs: BlobStore) -> None:
    async def come_and_go(name: int) -> None:
        for _ in range(15):
            await blobs.put([_jpg(f"shared/folder/{name}.jpg")])
            await blobs.delete([f"shared/folder/{name}.jpg"])

    async def stay(name: int) -> None:
        await blobs.put([_jpg(f"shared/folder/stays{name}.jpg")])

    await asyncio.gather(*(come_and_go(name) for name in range(4)), *(stay(n) for n in range(8)))

    assert await _keys(blobs) == [f"shared/folder/stays{name}.jpg" for name in range(8)]


async def test_a_cancelled_put_leaves_whole_blobs_or_none(blobs: BlobStore) -> None:
    data = b"x" * 200_000
    for delay in (0.0, 0.001, 0.003, 0.01):
        put = asyncio.create_task(blobs.put([_jpg(f"{delay}/{n}.jpg", data) for n in range(8)]))
        await asyncio.sleep(delay)
        put.cancel()
        await asyncio.wait([put])

    for key in await _keys(blobs):
        assert await blobs.get(key) == data


async def test_killing_a_writer_loses_nothing_that_it_was_promised(
    adapter: BlobAdapter, open_blobs: OpenBlobs, tmp_path: Path
) -> None:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contracts.blob_writer", adapter.address(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    assert writer.stdout is not None
    promised = [(await writer.stdout.readline()).decode().strip() for _ in range(60)]

    writer.kill()
    rest = (await writer.stdout.read()).decode()
    promised += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    await writer.wait()

    blobs = await open_blobs()
    found = {entry.key: entry async for entry in blobs.list("")}
    kept = {key.strip() for key in promised}
    assert kept <= found.keys()
    for key, entry in found.items():
        assert entry.content_type == "image/x-test"
        try:
            assert await blobs.get(key) == content(key)
        except BlobMissingError:
            # A server may take back what it had not acknowledged when the writer died.
            assert key not in kept
