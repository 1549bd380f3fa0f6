"""The blob stores that the contract runs against; a new one is one more entry here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from core.blobs.folder import FolderBlobStore
from core.blobs.port import BlobStore
from core.blobs.s3 import S3BlobStore
from tests.servers.minio import minio_address
from tests.servers.s3 import connect, place_of
from tests.servers.seaweedfs import seaweedfs_address
from tests.servers.session import Address

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


def _s3(server: Callable[[], Address]) -> Callable[[Path], OpenBlobs]:
    def at(folder: Path) -> OpenBlobs:
        async def open_blobs() -> BlobStore:
            return await _ConnectedBlobStore.open(connect(server()), place_of(folder))

        return open_blobs

    return at


class _ConnectedBlobStore(S3BlobStore):
    """Closes its connection, which nobody else has."""

    async def close(self) -> None:
        await super().close()
        await self._connection.close()


_AT = {"folder": _folder, "minio": _s3(minio_address), "seaweedfs": _s3(seaweedfs_address)}

BLOBS = [BlobAdapter(name, at, address=f"{name}:{{}}".format) for name, at in _AT.items()]


async def open_address(address: str) -> BlobStore:
    """The store that another process told us of."""
    kind, _, place = address.partition(":")
    return await _AT[kind](Path(place))()
