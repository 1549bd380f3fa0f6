"""A file that one process locks and others can ask who holds it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import BusyError, OutageError
from core.files.private import make_private_folder, private_file
from core.files.space import shortage

_HANDOVER_LIMIT_S = 5.0
_HANDOVER_EVERY_S = 0.02


class FileLock:
    """An exclusive ``flock``; the system frees it when the process ends, however it ends.

    It excludes other holders in the same process, too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._shared = False

    def acquire(self, what: str, *, advice: str = "stop it first", wait: bool = False) -> None:
        """Takes the lock and writes this process's id into the file.

        With ``wait``, blocks until it is free, which is for locks that nobody holds for long.

        Raises:
            BusyError: somebody holds it; the message says that this process uses ``what``, and
                gives the advice.
            OutageError: the folder cannot be written.
        """
        try:
            make_private_folder(self._path.parent)
            descriptor = private_file(str(self._path), os.O_RDWR | os.O_CREAT)
        except OSError as error:
            lacks = shortage(self._path.parent)
            raise OutageError(f"cannot open the lock file {self._path}: {error}{lacks}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = _written(descriptor)
            os.close(descriptor)
            raise BusyError(f"{what} is in use by process {holder}; {advice}") from None
        except OSError as error:
            os.close(descriptor)
            raise OutageError(f"cannot lock {self._path}: {error}") from error
        self._descriptor = descriptor
        self._shared = False
        _held.add(self)
        # The name only serves a message: a full disk must not cost the lock itself.
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            return

    async def take_over(self, what: str, *, advice: str = "stop it first") -> None:
        """As :meth:`acquire`, but a holder that is dead gets 5 s for its child, which shares the
        lock and is about to end as well."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _HANDOVER_LIMIT_S
        while True:
            try:
                return self.acquire(what, advice=advice)
            except BusyError:
                if _lives(self.holder()) or loop.time() > deadline:
                    raise
            await asyncio.sleep(_HANDOVER_EVERY_S)

    @contextmanager
    def held(self, what: str, *, wait: bool = False) -> Iterator[None]:
        """Acquires it, and releases it in the end."""
        self.acquire(what, wait=wait)
        try:
            yield
        finally:
            self.release()

    def share(self) -> int:
        """The handle to pass to a child: the lock is then held until both have let it go."""
        if self._descriptor is None:
            raise RuntimeError(f"the lock {self._path} is not held")
        self._shared = True
        return self._descriptor

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
            return _written(descriptor)
        finally:
            os.close(descriptor)
        return None

    def release(self) -> None:
        """Lets go; the file stays, because removing it would let two processes hold two files."""
        if self._descriptor is not None:
            if not self._shared:
                # Closing is not enough while a process that was just forked has a copy.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _written(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"


def _lives(process: str | None) -> bool:
    """Whether a process of that id is there; an unknown one is not, as far as one can tell."""
    try:
        os.kill(int(process or ""), 0)
    except PermissionError:
        return True
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    return True


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked child shares the lock: left alone, it would hold it beyond its parent's death.
    for lock in list(_held):
        lock._close()


os.register_at_fork(after_in_child=_forget_in_child)
