from __future__ import annotations

import os
from pathlib import Path

import pytest

from producers.listing import list_folder, list_pages, look, marks_of
from tests.producers.engine import photo


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(text))
    return path


def found(folder: Path) -> set[str]:
    return {os.path.relpath(path, folder) for path in list_folder(str(folder)).files}


def test_pictures_and_videos_of_nested_folders_are_listed(folder: Path) -> None:
    for name in ("a.jpg", "B.JPEG", "deep/er/c.png", "d.webp", "e.heic", "f.mp4", "g.MOV", "h.mkv"):
        write(folder / name)

    assert found(folder) == {
        *("a.jpg", "B.JPEG", "deep/er/c.png", "d.webp", "e.heic", "f.mp4", "g.MOV", "h.mkv")
    }


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.jpg", ".folder/a.jpg", "._a.jpg", "@eaDir/a.jpg", "sub/@eaDir/a.jpg/b.jpg"),
        *("a.jpg.part", "a.tmp", "a.mp4.crdownload", "a.jpg.FILEPART"),
    ],
)
def test_hidden_and_unfinished_files_are_neither_listed_nor_counted(
    folder: Path, name: str
) -> None:
    write(folder / name)

    listing = list_folder(str(folder))

    assert listing.files == {}
    assert not listing.ignored
    assert look(str(folder), [str(folder / name)]).files == {}


@pytest.mark.parametrize(
    "name",
    [
        *("#recycle", "$RECYCLE.BIN", "RECYCLER", "@Recycle", "@sharebin", "trashbox"),
        *("Recycle Bin", "Network Recycle Bin 1", "Network Trash Folder"),
        *(".Trash", ".Trash-1000", ".Trashes", ".recycle", ".Recycle.Bin"),
        *("#snapshot", ".snapshot", "~snapshot", "@Recently-Snapshot", "@sharesnap", ".zfs"),
        *("@GMT-2026.11.25-08.00.00", "lost+found", "found.000", "System Volume Information"),
        *("@eaDir", "__MACOSX", "SYSTEM VOLUME INFORMATION", "$Recycle.Bin"),
    ],
)
def test_bins_snapshots_and_system_folders_are_left_out(folder: Path, name: str) -> None:
    for below in (name, f"summer/{name}/deep"):
        write(folder / below / "a.jpg")
        write(folder / below / "b.txt")
    write(folder / "summer" / "c.jpg")

    listing = list_folder(str(folder))

    assert set(listing.files) == {str(folder / "summer" / "c.jpg")}
    assert not listing.ignored
    assert look(str(folder), [str(folder / name / "a.jpg")]).files == {}


@pytest.mark.parametrize("name", ["recycled", "@brand", "#1", "snapshot", "found", "trash"])
def test_names_that_only_resemble_those_of_the_system_are_somebodys(
    folder: Path, name: str
) -> None:
    write(folder / name / "a.jpg")

    assert found(folder) == {f"{name}/a.jpg"}


def test_a_bin_that_is_watched_itself_is_read(tmp_path: Path) -> None:
    write(tmp_path / "#recycle" / "a.jpg")

    assert found(tmp_path / "#recycle") == {"a.jpg"}


def test_other_kinds_are_counted_by_extension(folder: Path) -> None:
    for name in ("a.txt", "b.TXT", "sub/c.pdf", "README"):
        write(folder / name)

    assert dict(list_folder(str(folder)).ignored) == {".txt": 2, ".pdf": 1, "": 1}


def test_a_link_within_the_folder_is_a_place_of_its_own(folder: Path) -> None:
    write(folder / "a.jpg")
    (folder / "link.jpg").symlink_to("a.jpg")

    assert found(folder) == {"a.jpg", "link.jpg"}


def test_links_that_leave_the_folder_dangle_or_loop_are_ignored(
    folder: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside" / "a.jpg")
    (folder / "out.jpg").symlink_to(outside)
    (folder / "out").symlink_to(outside.parent)
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "loop").symlink_to(folder)

    assert found(folder) == set()
    assert look(str(folder), [str(folder / "out"), str(folder / "out.jpg")]).files == {}


def test_pipes_and_folders_with_a_pictures_name_are_no_pictures(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    (folder / "album.jpg").mkdir()

    assert found(folder) == set()


def test_a_hint_at_a_folder_lists_it_whole(folder: Path) -> None:
    write(folder / "album" / "deep" / "a.jpg")
    write(folder / "album" / "b.txt")

    listing = look(str(folder), [str(folder / "album"), str(folder / "gone.jpg"), str(folder)])

    assert set(listing.files) == {str(folder / "album" / "deep" / "a.jpg")}


def test_odd_names_are_listed_as_they_are(folder: Path) -> None:
    names = [b"\xff\xfe.jpg", "été 日本.jpg".encode(), b"two\nlines.jpg", b"100%#?.jpg"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(photo("x"))

    assert {os.fsencode(Path(p).name) for p in list_folder(str(folder)).files} == set(names)


def test_a_large_folder_comes_in_pages_that_give_each_file_once(folder: Path) -> None:
    (folder / "sub").mkdir()
    names = [f"{number}.jpg" for number in range(1500)] + [f"sub/{n}.jpg" for n in range(1000)]
    for name in names:
        (folder / name).touch()
    (folder / "note.txt").touch()

    pages = list(list_pages(str(folder)))

    sizes = [len(page.files) for page in pages]
    paths = [os.path.relpath(path, folder) for page in pages for path in page.files]
    assert max(sizes) == 1000
    assert sorted(paths) == sorted(names)
    assert sum(page.ignored.total() for page in pages) == 1


def test_a_missing_folder_is_an_error_and_not_an_empty_listing(folder: Path) -> None:
    folder.rmdir()

    with pytest.raises(FileNotFoundError):
        list_folder(str(folder))


def test_a_look_at_a_file_that_is_gone_gives_none(folder: Path) -> None:
    path = write(folder / "a.jpg")

    marks = dict(marks_of(str(folder), [str(path), str(folder / "gone.jpg")]))

    assert marks[str(path)] is not None
    assert marks[str(folder / "gone.jpg")] is None
