"""A file that one process locks and others can ask who holds it."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from core.errors import BusyError, OutageError
from core.files.private import make_private_folder, private_file


class FileLock:
    """An exclusive ``flock``; the system frees it when the process ends, however it ends.

    It excludes other holders in the same process, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, what: str) -> None:
        """Takes the lock and writes this process's id into the file.

        Raises:
            BusyError: somebody holds it; the message says that this process uses ``what``.
            OutageError: the folder cannot be written.
        """
        try:
            make_private_folder(self._path.parent)
            descriptor = private_file(str(self._path), os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise OutageError(f"cannot open the lock file {self._path}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise BusyError(f"{what} is in use by process {holder}; stop it first") from None
        except OSError as error:
            os.close(descriptor)
            raise OutageError(f"cannot lock {self._path}: {error}") from error
        self._descriptor = descriptor
        _held.add(self)
        # The name only serves a message: a full disk must not cost the lock itself.
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            return

    def holder(self) -> str | None:
        """The id of the process that holds it, as that process wrote it; None if nobody does.

        Raises OutageError where the file cannot be read.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutageError(f"cannot open the lock file {self._path}: {error}") from error
        try:
            # Shared, so that two who ask at once do not take each other for a holder.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        finally:
            os.close(descriptor)
        return None

    def release(self) -> None:
        """Lets go; the file stays, because removing it would let two processes hold two files."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked child shares the lock: left alone, it would hold it beyond its parent's death.
    for lock in list(_held):
        lock._close()


os.register_at_fork(after_in_child=_forget_in_child)
