"""The blob stores that the contract runs against; a new one is one more entry here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from core.blobs.folder import FolderBlobStore
from core.blobs.port import BlobStore

OpenBlobs = Callable[[], Awaitable[BlobStore]]


@dataclass(frozen=True)
class BlobAdapter:
    """How a contract test gets at a blob store.

    Attributes:
        at: gives, for an empty folder of the test, what opens one and the same store each time.
        address: what another process opens the same store by, with ``open_address``.
    """

    name: str
    at: Callable[[Path], OpenBlobs]
    address: Callable[[Path], str]


def _folder(folder: Path) -> OpenBlobs:
    async def open_blobs() -> BlobStore:
        return await FolderBlobStore.open(folder / "blobs")

    return open_blobs


BLOBS = [BlobAdapter("folder", _folder, address="folder:{}".format)]


async def open_address(address: str) -> BlobStore:
    """The store that another process told us of."""
    kind, _, place = address.partition(":")
    if kind == "folder":
        return await _folder(Path(place))()
    raise ValueError(address)
