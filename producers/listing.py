"""What in a folder is ours to take: the listing, which is the truth that events only hint at."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from core.intake.originals import FileMark
from core.media.probe import kind_of
from producers.names import extension, hidden, unfinished

_PAGE_FILES = 1000


@dataclass(slots=True)
class Listing:
    """What was found, by path. Paths hold undecodable bytes as surrogates (PEP 383).

    Attributes:
        files: of a kind that is read here.
        ignored: of other kinds, counted by extension (lower case, with its dot, or empty).
        unreadable: folders that could not be listed, with the reason.
    """

    files: dict[str, FileMark] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


def list_folder(root: str, under: str | None = None) -> Listing:
    """All of :func:`list_pages` at once; blocks."""
    whole = Listing()
    for page in list_pages(root, under):
        _join(whole, page)
    return whole


def list_pages(root: str, under: str | None = None) -> Iterator[Listing]:
    """Everything below ``root``, or below its sub-folder ``under``, so many files at a time: a
    folder of millions needs no more memory than a small one. Each step blocks.

    Symlinked folders are not entered: inside the root what they show is listed where it is, and
    outside it is none of ours.

    Raises:
        OSError: the folder itself cannot be listed; of sub-folders it is noted.
    """
    listing = Listing()
    pending = [root if under is None else under]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if hidden(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    _add(listing, root, entry.path)
                    if len(listing.files) >= _PAGE_FILES:
                        yield listing
                        listing = Listing()
        except FileNotFoundError:
            if folder == root:
                raise
        except OSError as error:
            if folder == root:
                raise
            listing.unreadable[folder] = error.strerror or str(error)
    yield listing


def look(root: str, paths: Iterable[str]) -> Listing:
    """The same for single paths that were named by a hint; a folder is listed whole."""
    listing = Listing()
    for path in paths:
        if any(hidden(part) for part in PurePath(os.path.relpath(path, root)).parts):
            continue
        if Path(path).is_dir() and not Path(path).is_symlink():
            _join(listing, list_folder(root, path))
        else:
            _add(listing, root, path)
    return listing


def marks_of(root: str, paths: Iterable[str]) -> Iterator[tuple[str, FileMark | None]]:
    """How files look now; None for one that is gone or not ours (any more)."""
    for path in paths:
        yield path, _mark(root, path)


def _join(whole: Listing, part: Listing) -> None:
    whole.files |= part.files
    whole.ignored += part.ignored
    whole.unreadable |= part.unreadable


def _add(listing: Listing, root: str, path: str) -> None:
    if unfinished(path):
        return
    mark = _mark(root, path)
    if mark is None:
        return
    if kind_of(PurePath(path).name) is None:
        listing.ignored[extension(path)] += 1
    else:
        listing.files[path] = mark


def _mark(root: str, path: str) -> FileMark | None:
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            if not Path(os.path.realpath(path)).is_relative_to(root):
                return None
            status = Path(path).stat()
    except OSError:
        return None
    return FileMark.of(status) if stat.S_ISREG(status.st_mode) else None
