from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core import ids
from core.blobs.port import Blob
from core.errors import OutageError
from core.events import Product
from core.intake import originals
from core.intake.announcements import ledger_prefix, parse_announcement
from core.intake.intake import Announced, Submission
from core.intake.originals import ChangedWhileReadError, UnreadableFileError, UnsupportedKindError
from core.log.port import Message
from tests.producers.engine import Engine, photo, sha256

LARGE = 1 << 20


class Failing:
    """A log that is away for its first calls, before or after it has written."""

    def __init__(self, log: Any, *, failures: int = 1, after_writing: bool = False) -> None:
        self._log = log
        self._failures = failures
        self._after_writing = after_writing
        self.calls = 0

    async def publish(self, messages: Sequence[Message], fence: object = None) -> None:
        self.calls += 1
        failing = self.calls <= self._failures
        if not failing or self._after_writing:
            await self._log.publish(messages)
        if failing:
            raise OutageError("the log is away")


class Spying:
    """A blob store that counts what is stored, and lets a test do something under the copy."""

    def __init__(self, blobs: Any, meanwhile: Any = None) -> None:
        self._blobs = blobs
        self._meanwhile = meanwhile
        self.stored: list[str] = []

    async def put(self, blobs: Sequence[Blob]) -> None:
        self.stored += [blob.key for blob in blobs]
        if self._meanwhile is not None:
            self._meanwhile()
        await self._blobs.put(blobs)

    async def stat(self, key: str) -> Any:
        return await self._blobs.stat(key)

    async def room(self) -> int | None:
        room: int | None = await self._blobs.room()
        return room

    async def delete(self, keys: Sequence[str]) -> None:
        await self._blobs.delete(keys)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


async def test_a_medium_is_stored_and_announced(engine: Engine, tmp_path: Path) -> None:
    data = photo("a")
    path = write(tmp_path / "Dress.JPG", data)

    announced = await engine.intake().announce(path, uri=path.as_uri(), producer="submit")

    (event,) = await engine.uploads()
    digest = sha256(data)
    assert event.id == event.root == announced.root
    assert event.id == ids.root_id("submit", path.as_uri(), 1, announced.media_id)
    assert event.subject == event.data.media_id == announced.media_id
    assert event.source == "/producers/submit"
    assert event.purpose == "query"
    assert event.traceparent is not None
    assert event.traceparent.split("-")[1] == event.root.replace("-", "")
    assert event.data.content_hash == digest
    assert event.data.filename == "Dress.JPG"
    assert event.data.kind == "picture"
    assert event.data.content_type == "image/jpeg"
    assert event.data.size == len(data)
    assert event.data.blob_key == f"media/{digest[:2]}/{digest}.jpg"
    assert await engine.blobs.get(event.data.blob_key) == data
    assert path.read_bytes() == data


async def test_a_large_file_is_copied_whole(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))

    announced = await engine.intake().announce(path, uri="x:a", producer="submit")

    assert sha256(await engine.blobs.get(announced.blob_key)) == announced.content_hash


async def test_each_announcement_of_a_uri_has_a_root_of_its_own(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    intake = engine.intake()

    first = await intake.announce(path, uri="x:a", producer="submit")
    second = await intake.announce(path, uri="x:a", producer="submit")

    assert (first.announcement, second.announcement) == (1, 2)
    assert first.media_id == second.media_id
    assert first.root != second.root
    assert [event.id for event in await engine.uploads()] == [first.root, second.root]


async def test_the_count_goes_on_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    await engine.intake().announce(path, uri="x:a", producer="submit")

    again = await engine.intake().announce(path, uri="x:a", producer="submit")

    assert again.announcement == 2


async def test_two_announcements_of_a_uri_at_once_are_counted_one_after_the_other(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    intake = engine.intake()

    both = await asyncio.gather(
        *(intake.announce(path, uri="x:a", producer="submit") for _ in range(2))
    )

    assert sorted(one.announcement for one in both) == [1, 2]


async def test_the_same_bytes_are_stored_once_and_announced_for_each_place(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    blobs = Spying(engine.blobs)

    one, two = await engine.intake(blobs=blobs).announce_many(
        [Submission(path, "x:a", "submit"), Submission(path, "x:b", "submit")]
    )

    assert isinstance(one, Announced)
    assert isinstance(two, Announced)
    assert one.media_id == two.media_id
    assert one.root != two.root
    assert len(blobs.stored) == 1


async def test_what_the_store_holds_is_not_uploaded_again(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))
    await engine.intake().announce(path, uri="x:a", producer="submit")
    blobs = Spying(engine.blobs)

    await engine.intake(blobs=blobs).announce(path, uri="x:b", producer="submit")

    assert blobs.stored == []


async def test_purpose_product_and_prompt_make_other_media(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    intake = engine.intake()
    product = Product(id="7", title="Red dress")

    announced = [
        await intake.announce(path, uri="x:1", producer="submit"),
        await intake.announce(path, uri="x:2", producer="submit", prompt="hat."),
        await intake.announce(path, uri="x:3", producer="catalog", purpose="catalog"),
        await intake.announce(
            path, uri="x:4", producer="catalog", purpose="catalog", product=product
        ),
    ]

    assert len({one.media_id for one in announced}) == 4
    assert len({one.content_hash for one in announced}) == 1
    (last,) = [event for event in await engine.uploads() if event.data.uri == "x:4"]
    assert last.purpose == "catalog"
    assert last.data.product == product


async def test_a_crash_between_stored_and_announced_announces_again_with_the_same_id(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    with pytest.raises(OutageError):
        await engine.intake(log=Failing(engine.log)).announce(path, uri="x:a", producer="submit")
    assert await engine.uploads() == []

    announced = await engine.intake().announce(path, uri="x:a", producer="submit")

    assert announced.announcement == 1
    assert [event.id for event in await engine.uploads()] == [announced.root]


async def test_a_crash_right_after_the_event_repeats_its_id(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    log = Failing(engine.log, after_writing=True)
    with pytest.raises(OutageError):
        await engine.intake(log=log).announce(path, uri="x:a", producer="submit")

    announced = await engine.intake().announce(path, uri="x:a", producer="submit")

    assert [event.id for event in await engine.uploads()] == [announced.root] * 2


async def test_recovery_announces_what_was_stored_even_if_the_file_is_gone(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    with pytest.raises(OutageError):
        await engine.intake(log=Failing(engine.log)).announce(path, uri="x:a", producer="upload")
    path.unlink()

    assert await engine.intake().recover("upload") == 1
    assert await engine.intake().recover("upload") == 0

    (event,) = await engine.uploads()
    assert await engine.blobs.get(event.data.blob_key) == photo("a")


async def test_what_is_owed_is_said_before_the_next_announcement_of_its_uri(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("old"))
    with pytest.raises(OutageError):
        await engine.intake(log=Failing(engine.log)).announce(path, uri="x:a", producer="submit")
    write(path, photo("new"))

    announced = await engine.intake().announce(path, uri="x:a", producer="submit")

    assert announced.announcement == 2
    assert {(e.data.announcement, e.data.content_hash) for e in await engine.uploads()} == {
        (1, sha256(photo("old"))),
        (2, sha256(photo("new"))),
    }


async def test_without_repeat_the_same_medium_is_not_announced_again(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    submission = Submission(path, "x:a", "folder", place="x:", repeat=False)
    intake = engine.intake()
    await intake.announce_many([submission])
    os.utime(path, ns=(1, 1))

    (again,) = await intake.announce_many([submission])

    assert isinstance(again, Announced)
    assert not again.new
    assert len(await engine.uploads()) == 1
    ((key, value),) = await engine.state.scan(ledger_prefix("folder", "x:"))
    assert parse_announcement(key, value).mark.split(":")[1] == "1"


async def test_a_file_that_changes_under_the_hash_is_not_announced(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))

    def hash_while_written(path: Path) -> str:
        digest = ids.content_hash(path.read_bytes())
        write(path, photo("b", LARGE + 1))
        return digest

    monkeypatch.setattr(ids, "file_hash", hash_while_written)

    with pytest.raises(ChangedWhileReadError):
        await engine.intake().announce(path, uri="x:a", producer="submit")
    assert await engine.uploads() == []


async def test_a_file_that_changes_under_the_copy_leaves_no_blob_with_a_wrong_name(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))
    blobs = Spying(engine.blobs, lambda: write(path, photo("b", LARGE)))

    with pytest.raises(ChangedWhileReadError):
        await engine.intake(blobs=blobs).announce(path, uri="x:a", producer="submit")

    assert await engine.uploads() == []
    assert [await engine.blobs.stat(key) for key in blobs.stored] == [None]


async def test_a_file_that_goes_under_the_copy_is_its_own_trouble(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))
    blobs = Spying(engine.blobs, path.unlink)

    with pytest.raises(UnreadableFileError):
        await engine.intake(blobs=blobs).announce(path, uri="x:a", producer="submit")


async def test_a_file_that_changed_since_it_settled_is_not_announced(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))
    settled = originals.FileMark.of(path.stat())
    write(path, photo("changed"))

    (outcome,) = await engine.intake().announce_many(
        [Submission(path, "x:a", "folder", settled=settled)]
    )

    assert isinstance(outcome, ChangedWhileReadError)


async def test_what_cannot_be_announced_says_why_and_stops_nobody_else(
    engine: Engine, tmp_path: Path
) -> None:
    write(tmp_path / "notes.txt", b"text")
    write(tmp_path / "a.jpg", photo("a"))
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")

    outcomes = await engine.intake().announce_many(
        [
            Submission(tmp_path / name, f"x:{name}", "submit")
            for name in ("notes.txt", "gone.jpg", "a.jpg", "folder.jpg", "pipe.jpg")
        ]
    )

    assert [type(outcome) for outcome in outcomes] == [
        UnsupportedKindError,
        UnreadableFileError,
        Announced,
        UnreadableFileError,
        UnreadableFileError,
    ]
    assert "gone.jpg" in str(outcomes[1])
    assert len(await engine.uploads()) == 1


async def test_a_name_that_is_not_utf8_is_announced_readably(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \n.jpg")
    path.write_bytes(photo("a"))

    await engine.intake().announce(path, uri=path.as_uri(), producer="submit")

    (event,) = await engine.uploads()
    assert event.data.uri == f"{tmp_path.as_uri()}/caf%E9%20%0A.jpg"
    assert event.data.filename == "caf\ufffd \n.jpg"


async def test_an_upload_goes_by_the_name_its_sender_gave(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "upload-1234", photo("a"))

    announced = await engine.intake().announce(
        path, uri="upload:1234", producer="upload", filename="dress.png"
    )

    assert announced.blob_key.endswith(".png")
    (event,) = await engine.uploads()
    assert event.data.filename == "dress.png"


async def test_many_files_share_round_trips(engine: Engine, tmp_path: Path) -> None:
    submissions = []
    for number in range(300):
        path = write(tmp_path / f"{number}.jpg", photo(str(number)))
        submissions.append(Submission(path, f"x:{number}", "submit"))
    log = Failing(engine.log, failures=0)

    outcomes = await engine.intake(log=log).announce_many(submissions)

    assert [one.uri for one in outcomes if isinstance(one, Announced)] == [
        s.uri for s in submissions
    ]
    assert len({event.id for event in await engine.uploads()}) == 300
    assert log.calls <= 5


async def test_a_uri_twice_in_one_call_has_no_order(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", photo("a"))

    with pytest.raises(ValueError, match="twice"):
        await engine.intake().announce_many([Submission(path, "x:a", "submit")] * 2)
