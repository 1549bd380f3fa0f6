"""Files and folders that are still there, whole, after power loss."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from core.files.private import make_private_folder, private_file


def make_folder(path: Path) -> None:
    """The folder and those above it, for their owner alone, their names on the disk; nothing where
    it exists."""
    for folder in make_private_folder(path):
        sync_folder(folder.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Readers see the old bytes or the new ones; the new ones are on the disk on return, for their
    owner alone."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(unfinished, "xb", opener=private_file) as file:
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
