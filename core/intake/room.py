"""Room for originals: asked for before a file is read, so that one too large for the disk costs
nobody anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.blobs.port import BlobStore
from core.errors import DoesNotFitError, OutageError
from core.files.space import FULL_BELOW, megabytes


class Claims:
    """What some files claim of the room, until they are stored."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._sizes: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self._sizes.values())

    async def claim(self, key: str, size: int, name: str) -> None:
        """Room for a file of ``size`` bytes that messages call ``name``; once for each ``key``.

        Raises:
            DoesNotFitError: there is not enough for this file.
            OutageError: there is none for any.
        """
        if key not in self._sizes:
            await self._room.check(size, name)
            self._sizes[key] = size


class Room:
    """The room of one blob store, shared by all that this process is storing.

    What is half stored is counted twice, as claimed and as no longer free: a file that would just
    fit may have to wait for its neighbours.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._open: list[Claims] = []

    @contextmanager
    def claims(self) -> Iterator[Claims]:
        """Claims that end with the context."""
        claims = Claims(self)
        self._open.append(claims)
        try:
            yield claims
        finally:
            self._open.remove(claims)

    async def check(self, size: int, name: str, beside: int = 0) -> None:
        """Raises as :meth:`Claims.claim` does, and claims nothing.

        Args:
            beside: bytes that something else is about to take of the same room.
        """
        room = await self._blobs.room()
        if room is None:
            return
        left = room - beside - sum(claims.total for claims in self._open)
        if size <= left:
            return
        missing = f"{megabytes(size - left)} are missing where originals are kept"
        if room < min(size, FULL_BELOW):
            raise OutageError(f"there is no room for originals, {missing}: free some space")
        raise DoesNotFitError(
            f"{name}: {megabytes(size)} do not fit, {missing}: free some space, or shrink it"
        )
