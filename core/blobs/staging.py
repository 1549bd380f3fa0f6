"""Where a blob is written before it gets its name: in its file system, but in no listing."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.files.private import private_file
from core.files.scratch import Scratch

_PIECE = 1 << 20


class SourceError(Exception):
    """The file to copy from could not be read; its cause is the OSError that says why."""


class Staging:
    """One process's own folder for unfinished files, gone with all it holds when the process is."""

    def __init__(self, root: Path) -> None:
        """Removes the leftovers of dead processes; raises OSError."""
        self._scratch = Scratch(root / ".incoming")
        self._folder = self._scratch.path

    def write(self, data: bytes | Path) -> Path:
        """A new file with these bytes, on the disk when this returns; whoever asked renames it.

        Raises OSError, and SourceError where the trouble is with the file to copy from.
        """
        path = self._folder / uuid.uuid4().hex
        try:
            with open(path, "xb", buffering=0, opener=private_file) as file:
                if isinstance(data, Path):
                    _copy(data, file.fileno())
                else:
                    _write(file.fileno(), data)
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def exists(self) -> bool:
        """False once the store's folder was removed or unmounted under us."""
        return self._folder.is_dir()

    def close(self) -> None:
        """A second time does nothing."""
        self._scratch.close()


def _copy(source: Path, target: int) -> None:
    with _reading():
        handle = os.open(source, os.O_RDONLY)
    try:
        with _reading():
            size = os.fstat(handle).st_size
        for start, end in _extents(handle, size):
            with _reading():
                os.lseek(handle, start, os.SEEK_SET)
            os.lseek(target, start, os.SEEK_SET)
            _copy_extent(handle, target, end - start)
        if os.lseek(target, 0, os.SEEK_END) < size:
            os.ftruncate(target, size)
    finally:
        os.close(handle)


def _extents(handle: int, size: int) -> Iterator[tuple[int, int]]:
    """Where there are bytes in a file, from and to: a hole takes no room here either."""
    end = 0
    while end < size:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # this file system has no word for holes
                yield end, size
            return
        yield start, end


def _copy_extent(source: int, target: int, size: int) -> None:
    rest = size - _copy_in_kernel(source, target, size)
    # What the kernel did not copy, or all of it. An error of the kernel's copy does not say
    # which of the two files it is about; met again here it does.
    while rest > 0:
        with _reading():
            piece = os.read(source, min(_PIECE, rest))
        if not piece:
            return
        _write(target, piece)
        rest -= len(piece)


def _copy_in_kernel(source: int, target: int, size: int) -> int:
    """Shares the bytes where the file system can (XFS, btrfs), else copies without user space;
    how many it did."""
    copied = 0
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):
            while copied < size and (
                more := os.copy_file_range(source, target, min(size - copied, 1 << 30))
            ):
                copied += more
    return copied


def _write(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError from error
