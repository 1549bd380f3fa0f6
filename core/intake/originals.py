"""Originals: files that others may still be writing while we read them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core import ids
from core.blobs.content_types import content_type_of
from core.blobs.keys import original_key
from core.blobs.port import Blob
from core.errors import PermanentError, TransientError
from core.events import Kind
from core.media.probe import READ, kind_of

IN_MEMORY = 1 << 19
"""Files up to this many bytes are read once, so that hash and blob are of the same bytes; larger
ones are hashed and copied in two passes and compared by their marks."""


class ChangedWhileReadError(TransientError):
    """The file changed while it was read; announce it when its writer is done."""


class UnreadableFileError(PermanentError):
    """The file is gone, no regular file, or not ours to read; the message names it and why."""


class UnsupportedKindError(PermanentError):
    """The name's extension is of no picture or video that is read here; send another file."""


class FileMark(NamedTuple):
    """What shows from outside that a file's content is the same: bytes, nanoseconds, inode."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileMark:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    def text(self) -> str:
        """As the ledger keeps it."""
        return f"{self.size}:{self.mtime_ns}:{self.inode}"


@dataclass(frozen=True, slots=True)
class Original:
    """A file as it was read.

    Attributes:
        name: text that may be shown; bytes that are not UTF-8 are replacement characters.
        hash: SHA-256 of the bytes, hexadecimal.
        data: the bytes, where they are few; else they are still in the file.
    """

    path: Path
    name: str
    kind: Kind
    mark: FileMark
    hash: str
    data: bytes | None

    @property
    def key(self) -> str:
        """Where its blob is."""
        return original_key(self.hash, PurePosixPath(self.name).suffix)

    @property
    def content_type(self) -> str:
        return content_type_of(self.key)

    def blob(self) -> Blob:
        return Blob(self.key, self.path if self.data is None else self.data, self.content_type)

    def changed(self) -> bool:
        """Whether the file looks different now, or is gone; blocks."""
        try:
            return _mark(self.path) != self.mark
        except (OSError, UnreadableFileError):
            return True


def outer_size(path: Path, filename: str | None, settled: FileMark | None) -> int:
    """A file's bytes, holes included, without a look into it; blocks. Takes and raises what
    :func:`read_original` does."""
    _kind(filename or shown(Path(path.name)))
    return _first_mark(path, settled).size


def read_original(path: Path, filename: str | None, settled: FileMark | None) -> Original:
    """Hashes a file between two looks at it; blocks.

    Args:
        filename: what to call it, else its own name.
        settled: what the first look shall find, if that is known.

    Raises:
        UnsupportedKindError, UnreadableFileError.
        ChangedWhileReadError: the looks differ, or the first is not ``settled``.
    """
    name = filename or shown(Path(path.name))
    kind = _kind(name)
    before = _first_mark(path, settled)
    try:
        data = path.read_bytes() if before.size <= IN_MEMORY else None
        digest = ids.file_hash(path) if data is None else ids.content_hash(data)
        if _mark(path) != before or (data is not None and len(data) != before.size):
            raise changed(path)
    except OSError as error:
        raise unreadable(path, error) from error
    return Original(path, name, kind, before, digest, data)


def changed(path: Path) -> ChangedWhileReadError:
    return ChangedWhileReadError(f"{shown(path)} changed while it was read")


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(f"{shown(path)}: {error.strerror or error}")


def shown(path: Path) -> str:
    """Text for people and JSON: bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")


def _kind(name: str) -> Kind:
    kind = kind_of(name)
    if kind is None:
        raise UnsupportedKindError(
            f"{name}: neither a picture nor a video that is read here; "
            f"read are {READ['picture']}, and {READ['video']}"
        )
    return kind


def _first_mark(path: Path, settled: FileMark | None) -> FileMark:
    try:
        mark = _mark(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if settled not in (None, mark):
        raise changed(path)
    return mark


def _mark(path: Path) -> FileMark:
    status = path.stat()
    # Opening a pipe or a device could block for ever.
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFileError(f"{shown(path)}: not a regular file")
    return FileMark.of(status)
