"""What tests fetch once and keep: a folder in the user's cache, filled by one process at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

_DONE = ".complete"


class FetchError(RuntimeError):
    """A tool is missing, or could not fetch; the message says which and why."""


class Cached:
    """A folder of the cache. Modules declare theirs when they are imported.

    Args:
        name: carries what the folder is made from (version, hash), for it is never filled again.
        fill: gets it empty, the first time; raises FetchError.
    """

    def __init__(self, name: str, fill: Callable[[Path], None]) -> None:
        self.name = name
        self._fill = fill
        _declared.append(self)

    def folder(self) -> Path:
        """Filled; raises FetchError if it could not be, and the next call tries again."""
        return _filled(self.name, self._fill)


_declared: list[Cached] = []


def fetch_declared() -> None:
    """Fetches what the modules imported so far have declared: before the clock of a test runs. What
    cannot be had is for its test to say."""
    for kept in _declared:
        with suppress(FetchError):
            kept.folder()


def _filled(name: str, fill: Callable[[Path], None]) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagging-engine"
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name
    with FileLock(root / f"{name}.lock"):
        if not (folder / _DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            (folder / _DONE).touch()
    return folder


def tool(name: str) -> str:
    """Where a program is; raises FetchError."""
    found = shutil.which(name)
    if found is None:
        raise FetchError(f"{name} is not installed")
    return found


def run(
    command: Sequence[str], folder: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Runs a tool to its end, and gives what it printed to stdout; raises FetchError."""
    done = subprocess.run(
        [tool(command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FetchError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
