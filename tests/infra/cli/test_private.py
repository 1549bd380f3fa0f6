"""What the engine keeps is for its owner alone, whatever the process's umask says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.infra.cli.conftest import Tagger
from tests.infra.running.standin_engine import engine_beside, write_product
from tests.vision_standin import png


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """Nothing is kept from others unless somebody says so."""
    before = os.umask(0)
    yield
    os.umask(before)


@contextmanager
def used(data_dir: Path, tagger: Tagger) -> Iterator[None]:
    """A folder with a catalog, a result, a dead letter, and an engine that is at work in it."""
    beside = data_dir.parent
    write_product(beside / "catalog", 1, "red")
    (beside / "look.png").write_bytes(png("red", "blue"))
    (beside / "broken.jpg").write_bytes(b"no picture at all")
    with engine_beside(data_dir):
        tagger("catalog", "add", beside / "catalog")
        tagger("submit", beside / "look.png", beside / "broken.jpg", "--wait")
        yield


def open_to_others(folder: Path) -> dict[str, str]:
    """Everything that is in the way of a 0700 folder with 0600 files."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue  # of the moment
        wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
        if stat.S_IMODE(mode) != wanted:
            found[str(path.relative_to(folder))] = stat.filemode(mode)
    return found


def test_a_data_folder_and_all_in_it_is_its_owners_alone(data_dir: Path, tagger: Tagger) -> None:
    with used(data_dir, tagger):
        at_work = open_to_others(data_dir)
        names = {path.name for path in data_dir.iterdir()}
    afterwards = open_to_others(data_dir)

    assert {"engine.db", "engine.db-wal", "engine.db-shm", "blobs", "vectors", "scratch"} <= names
    assert at_work == {}
    assert afterwards == {}


def test_folders_on_the_way_to_it_are_private_where_they_are_made(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"

    with engine_beside(home):
        pass

    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (home, home.parent)] == [0o700] * 2


def test_a_folder_that_an_older_version_made_is_closed(data_dir: Path, tagger: Tagger) -> None:
    with used(data_dir, tagger):
        pass
    for path in data_dir.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    data_dir.chmod(0o755)

    with engine_beside(data_dir):
        assert open_to_others(data_dir) == {}


def test_a_folder_that_holds_something_else_stays_as_open_as_it_is(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    note = data_dir / "notes.txt"
    note.write_text("of somebody else")
    note.chmod(0o644)

    for _ in range(2):
        with engine_beside(data_dir):
            others = open_to_others(data_dir)

    assert others == {".": "drwxr-xr-x", "notes.txt": "-rw-r--r--"}


def test_what_is_exported_is_as_open_as_the_user_wants_it(
    data_dir: Path, tagger: Tagger, tmp_path: Path
) -> None:
    exported = {kind: tmp_path / f"results.{kind}" for kind in ("csv", "html")}
    with used(data_dir, tagger):
        for kind, file in exported.items():
            tagger("results", "--export", kind, "--output", file)

    assert [stat.S_IMODE(file.stat().st_mode) for file in exported.values()] == [0o666] * 2
