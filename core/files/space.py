"""How much a disk still takes, and what it lacks when it takes no more."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

from core.errors import DoesNotFitError

_RESERVE = 256 << 20
_RESERVE_SHARE = 50
_SCARCE = 64 << 20

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk, or of a user's share of one, that takes no more."""

FULL_BELOW = 1 << 20
"""A disk with less room than this, in bytes, is full for all, not too small for one file."""


class Space(NamedTuple):
    """What a file system has for processes like this one.

    Attributes:
        total: bytes.
        free: bytes.
        nodes: files that can still be made; None where their number has no limit.
    """

    total: int
    free: int
    nodes: int | None

    @property
    def room(self) -> int:
        """Bytes that large files may take. A fiftieth of the disk, at most 256 MiB, is left to the
        work that is under way."""
        if self.nodes == 0:
            return 0
        return max(0, self.free - min(_RESERVE, self.total // _RESERVE_SHARE))


def space(path: Path) -> Space:
    """Of the file system that ``path`` is on; raises OSError."""
    found = os.statvfs(path)
    # File systems that make inodes as they are needed say that they have none at all.
    nodes = found.f_favail if found.f_files else None
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, nodes)


def check_fits(folder: Path, size: int, what: str) -> None:
    """Whether a file of ``size`` bytes can be put there.

    Raises:
        DoesNotFitError: it cannot, but smaller ones could; ``what`` begins the message.
        OSError: nothing is known of the file system.
    """
    room = space(folder).room
    if size > room >= FULL_BELOW:
        raise DoesNotFitError(
            f"{what}: {megabytes(size)} do not fit, {megabytes(size - room)} are missing in "
            f"{folder}: free some space, or shrink it"
        )


def lack(path: Path) -> str:
    """Why a file system takes no more, as the end of a sentence that begins with its folder."""
    try:
        found = space(path)
    except OSError:
        return "is full: free some space"
    if found.nodes == 0:
        return f"has no inodes left, though {megabytes(found.free)} are free: remove some files"
    if found.free > _SCARCE:
        return f"is full (No space left on device), though {megabytes(found.free)} are free by now"
    return f"is full, {megabytes(found.free)} are left: free some space"


def shortage(path: Path) -> str:
    """What a disk lacks, to be put behind an error that may come of it; empty if it lacks nothing.

    Libraries say that a file cannot be opened, and leave the reason out.
    """
    try:
        found = space(path)
    except OSError:
        return ""
    return f": {path} {lack(path)}" if found.nodes == 0 or found.free < FULL_BELOW else ""


def trouble(path: Path, error: OSError) -> str:
    """What an error of the operating system means for a folder, as :func:`lack` words it."""
    if error.errno == errno.EDQUOT:
        return "takes no more from this user, whose quota is used up: free some space, or raise it"
    if error.errno == errno.ENOSPC:
        return lack(path)
    return f"cannot be used: {error.strerror or error}"


def megabytes(size: int) -> str:
    """``1,234 MiB``, ``0.3 MiB``."""
    number = size / (1 << 20)
    return f"{number:,.0f} MiB" if number >= 10 else f"{number:.1f} MiB"
