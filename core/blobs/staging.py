"""Where a blob is written before it gets its name: in its file system, but in no listing."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.durable import make_folder

_PIECE = 1 << 20


class SourceError(Exception):
    """The file to copy from could not be read; its cause is the OSError that says why."""


class Staging:
    """One process's own folder for unfinished files, gone with all it holds when the process is.

    Several processes share a store. Each holds a lock on its own folder for as long as it lives,
    so whoever opens the store next knows what a crash left behind: the folders whose lock is free.
    """

    def __init__(self, root: Path) -> None:
        """Removes the leftovers of dead processes; raises OSError."""
        self._home = root / ".incoming"
        make_folder(self._home)
        self._folder = self._home / uuid.uuid4().hex
        # Inside the gate nobody mistakes a folder whose lock is yet to be taken for a leftover.
        with _locked(self._home / "gate", wait=True):
            self._remove_leftovers()
            self._folder.mkdir()
            self._lock: int | None = _lock(self._folder / "lock", wait=False)

    def write(self, data: bytes | Path) -> Path:
        """A new file with these bytes, on the disk when this returns; whoever asked renames it.

        Raises OSError, and SourceError where the trouble is with the file to copy from.
        """
        path = self._folder / uuid.uuid4().hex
        try:
            with path.open("xb", buffering=0) as file:
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
        if self._lock is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def _remove_leftovers(self) -> None:
        for folder in self._home.iterdir():
            if folder.is_dir():
                with suppress(BlockingIOError), _locked(folder / "lock", wait=False):
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[None]:
    handle = _lock(path, wait=wait)
    try:
        yield
    finally:
        os.close(handle)


def _lock(path: Path, *, wait: bool) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _copy(source: Path, target: int) -> None:
    with _reading():
        handle = os.open(source, os.O_RDONLY)
    try:
        _copy_in_kernel(handle, target)
        # What the kernel did not copy, or all of it. An error of the kernel's copy does not say
        # which of the two files it is about; met again here it does.
        while True:
            with _reading():
                piece = os.read(handle, _PIECE)
            if not piece:
                return
            _write(target, piece)
    finally:
        os.close(handle)


def _copy_in_kernel(source: int, target: int) -> None:
    """Shares the bytes where the file system can (XFS, btrfs), else copies without user space."""
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):
            while os.copy_file_range(source, target, 1 << 30):
                pass


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
