"""Files and folders that are still there, whole, after power loss."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def make_folder(path: Path) -> None:
    """The folder and those above it, their names on the disk; nothing where it exists."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in made:
        sync_folder(folder.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Readers see the old bytes or the new ones; the new ones are on the disk on return."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Puts the names in a folder on the disk, what was removed from it included."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
