"""A watched folder and the engine's own must not meet: it would take in what it stores."""

from __future__ import annotations

from pathlib import Path

from core.errors import SettingsError


def refuse_overlap(watched: Path, data_folder: Path) -> None:
    """Raises SettingsError, naming both, if one contains the other."""
    if _is_within(data_folder.resolve(), watched.resolve()):
        relation = "contains"
    elif _is_within(watched.resolve(), data_folder.resolve()):
        relation = "lies in"
    else:
        return
    raise SettingsError(
        f"the watched folder {watched} {relation} the engine's data folder {data_folder}, and"
        " would take in the engine's own files: choose another for one of them"
    )


def _is_within(inner: Path, outer: Path) -> bool:
    # By identity too: a bind mount, or a file system that ignores case, gives a folder two names.
    return inner.is_relative_to(outer) or (
        outer.exists()
        and any(path.exists() and path.samefile(outer) for path in (inner, *inner.parents))
    )
