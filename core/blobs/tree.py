"""A folder as a tree of blobs: what FolderBlobStore does, for one thread and one key at a time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from core.blobs.content_types import content_type_of
from core.blobs.port import Blob, BlobStat
from core.blobs.staging import Staging
from core.errors import BlobMissingError, InvalidKeyError
from core.files.durable import sync_folder
from core.files.private import make_private_folder

_Result = TypeVar("_Result")

_NOT_A_BLOB = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class BlobTree:
    """Takes checked keys. Raises OSError, among it FileNotFoundError where the root is gone:
    an unmounted disk looks like an empty one, but is an outage and not a loss."""

    def __init__(self, root: Path, staging: Staging) -> None:
        self._root = root
        self._staging = staging

    def store(self, blob: Blob) -> None:
        """The blob's bytes are on the disk when this returns; its name needs a sync of ``folders``.

        Runs to its end whatever becomes of the caller, so it leaves nothing unfinished.
        """
        path = self._root / blob.key
        staged = self._staging.write(blob.data)
        try:
            if blob.content_type == content_type_of(blob.key):
                self._place(staged, path)
                _type_file(path).unlink(missing_ok=True)
            else:
                # The type goes first, so that a new blob never shows with its ending's type.
                self._place(self._staging.write(blob.content_type.encode()), _type_file(path))
                self._place(staged, path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            with suppress(OSError):
                _type_file(path).unlink()
            raise InvalidKeyError(
                f"blob key {blob.key!r}: no key may go on, after a slash, where another one ends"
            ) from error
        finally:
            staged.unlink(missing_ok=True)

    def folders(self, key: str) -> list[Path]:
        """From the blob's own folder up to the root."""
        return [self._root / parent for parent in Path(key).parents]

    def sync(self, folder: Path) -> None:
        """Puts the names in a folder on the disk."""
        try:
            sync_folder(folder)
        except FileNotFoundError:
            self._check_root()  # else a delete emptied it and took it along

    def present(self, key: str, read: Callable[[Path], _Result]) -> _Result:
        """What ``read`` makes of the blob's file; raises BlobMissingError."""
        try:
            return read(self._root / key)
        except _NOT_A_BLOB as error:
            self._check_root()
            raise BlobMissingError(
                f"blob {key!r} is not in {self._root}; submit its medium again"
            ) from error

    def stat(self, key: str) -> BlobStat | None:
        path = self._root / key
        try:
            found = path.stat()
        except _NOT_A_BLOB:
            self._check_root()
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return BlobStat(key, found.st_size, _read_type(path, key), found.st_mtime)

    def remove(self, key: str) -> None:
        """Takes the folders along that become empty."""
        path = self._root / key
        if path.is_dir():
            return
        for file in (path, _type_file(path)):
            with suppress(*_NOT_A_BLOB):
                file.unlink()
        for folder in self.folders(key)[:-1]:
            try:
                folder.rmdir()
            except OSError:
                return  # in use, or a delete beside this one was quicker

    def walk(self, folder: str, start: str) -> Iterator[BlobStat]:
        """Blobs whose key is ``folder/start...``, in key order."""
        try:
            with os.scandir(self._root / folder) as entries:
                found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except _NOT_A_BLOB:
            self._check_root()
            return
        # A folder sorts as its keys do, with the slash: "a-b" < "a.b" < "a/b".
        names = (f"{name}/" if is_folder else name for name, is_folder in found.items())
        for name in sorted(n for n in names if n.startswith(start) and not n.startswith(".")):
            key = f"{folder}/{name}" if folder else name
            if name.endswith("/"):
                yield from self.walk(key[:-1], "")
            elif (entry := self.stat(key)) is not None:
                yield entry

    def _place(self, staged: Path, path: Path) -> None:
        while True:
            try:
                make_private_folder(path.parent)
                staged.replace(path)
                return
            except FileNotFoundError:
                # A delete took the folder just after this put had found or made it: once more,
                # unless it is the staged file that went, and the whole store with it.
                if not staged.exists():
                    raise

    def _check_root(self) -> None:
        if not self._staging.exists():
            raise FileNotFoundError(errno.ENOENT, "it was removed or unmounted")


def _type_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.type")


def _read_type(path: Path, key: str) -> str:
    try:
        return _type_file(path).read_text()
    except FileNotFoundError:
        return content_type_of(key)
