"""What in a watched place is nobody's picture yet, or never, by its name alone."""

from __future__ import annotations

from pathlib import PurePosixPath

from core.files.system import of_the_system

_UNFINISHED = frozenset({".part", ".tmp", ".crdownload", ".filepart"})


def hidden(name: str) -> bool:
    """Of a file, or of a folder with all that is below it: bins and snapshots, for example."""
    return name.startswith(".") or of_the_system(name)


def unfinished(name: str) -> bool:
    """Whether its writer renames it when it is whole."""
    return extension(name) in _UNFINISHED


def extension(name: str) -> str:
    """Lower case, with its dot, or empty."""
    return PurePosixPath(name).suffix.lower()
