"""Files for the moment, which do not outlive their process, however it ends."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import BusyError, OutageError
from core.files.durable import make_folder
from core.files.lock import FileLock
from core.files.private import make_private_folder
from core.files.space import trouble


class Scratch:
    """One process's own folder, gone with all it holds when the process is.

    Several processes share a home. Each holds a lock on its own folder for as long as it lives,
    so whoever comes next knows what a crash left behind: the folders whose lock is free.
    """

    def __init__(self, home: Path) -> None:
        """Removes the leftovers of dead processes; raises OSError, OutageError."""
        make_folder(home)
        self.path = home / uuid.uuid4().hex
        # Inside the gate nobody mistakes a folder whose lock is yet to be taken for a leftover.
        with FileLock(home / "gate").held(f"the gate of {home}", wait=True):
            _remove_leftovers(home)
            make_private_folder(self.path)
            self._lock: FileLock | None = FileLock(self.path / "lock")
            self._lock.acquire(str(self.path))

    def close(self) -> None:
        """A second time does nothing."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.release()
            self._lock = None


@contextmanager
def temporary_folder(home: Path) -> Iterator[Path]:
    """An empty folder, removed on leaving. Raises OutageError where none can be made."""
    try:
        made = tempfile.TemporaryDirectory(prefix="tagger-", dir=home, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutageError(f"no folder can be made: {home} {trouble(home, error)}") from error
    with made as name:
        yield Path(name)


def _remove_leftovers(home: Path) -> None:
    for folder in home.iterdir():
        if folder.is_dir():
            try:
                with FileLock(folder / "lock").held(str(folder)):
                    shutil.rmtree(folder, ignore_errors=True)
            except BusyError:  # its process lives
                continue
