"""Where bytes live that are too large for an event: originals, frames, crops, results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """What is stored: bytes, or a file to copy from."""

    key: str
    data: bytes | Path
    content_type: str


@dataclass(frozen=True, slots=True)
class BlobStat:
    """``size`` in bytes, ``modified`` in seconds since the epoch."""

    key: str
    size: int
    content_type: str
    modified: float


class BlobStore(Protocol):
    """Keys are ``/``-separated text; a key outside the store is InvalidKeyError.

    Every call raises OutageError while the store cannot be reached or is full.
    """

    async def put(self, blobs: Sequence[Blob]) -> None:
        """Each appears whole or not at all, and survives power loss once this returns; what was
        under its key is replaced. Raises the OSError of a file to copy from that is unreadable."""
        ...

    async def get(self, key: str) -> bytes:
        """Raises BlobMissingError."""
        ...

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A file to read while the context is open, for decoders; raises BlobMissingError."""
        ...

    async def stat(self, key: str) -> BlobStat | None: ...

    async def room(self) -> int | None:
        """Bytes that originals may still take, beside what is left to the work under way; None
        where nobody knows."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes what is there; a missing key is no error."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """Blobs whose key starts with ``prefix``, sorted by key."""
        ...

    async def close(self) -> None: ...
