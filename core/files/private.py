"""Files and folders that nobody but their owner may look into."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600


def private_file(path: str, flags: int) -> int:
    """An opener, as ``open`` takes one."""
    return os.open(path, flags | os.O_CLOEXEC, _FILE)


def make_private_folder(path: Path) -> list[Path]:
    """The folder and those above it, as ``Path.mkdir`` would; gives those that were missing, the
    deepest first."""
    missing = list(takewhile(lambda folder: not folder.exists(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(mode=_FOLDER, exist_ok=True)
    if not path.is_dir():
        path.mkdir(mode=_FOLDER)  # raises what is in the way
    return missing


def close_to_others(folder: Path, ours: Sequence[str]) -> None:
    """Shuts a folder of ours that an older version left open, and what lies directly in it.

    Where it holds anything else, it is somebody's who may want it open: then only what is ours is
    shut. What belongs to another user, or cannot be changed, stays as it is.

    Args:
        ours: patterns of the names that we give.
    """
    if not folder.is_dir():
        return
    with suppress(OSError):
        entries = list(folder.iterdir())
        own = [path for path in entries if any(fnmatch(path.name, name) for name in ours)]
        for path in (*own, *([folder] if len(own) == len(entries) else [])):
            _close(path)


def _close(path: Path) -> None:
    with suppress(OSError):
        found = path.lstat()
        wanted = _FOLDER if stat.S_ISDIR(found.st_mode) else _FILE
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            return
        if stat.S_IMODE(found.st_mode) & ~wanted:
            path.chmod(wanted)
