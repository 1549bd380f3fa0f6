"""Blobs in a folder: the key is the path, the file is the blob, and nothing else is needed."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from core.blobs.keys import check_key, check_prefix
from core.blobs.port import Blob, BlobStat
from core.blobs.staging import SourceError, Staging
from core.blobs.tree import BlobTree
from core.errors import DoesNotFitError, OutageError
from core.files.space import space, trouble

_Result = TypeVar("_Result")

_THREADS = 8
"""Syncs that run side by side; the file system commits them together."""

_LISTED_AT_ONCE = 256


class FolderBlobStore:
    """A BlobStore that any number of processes share.

    A blob is written out of sight, synced, renamed to its place, and then the folders on its path
    are synced: so a reader never meets half a blob, and power loss takes none that ``put``
    returned for. A deleted blob may come back after power loss.

    The content type follows from the key's ending; where it does not, a file ``.NAME.type`` beside
    the blob says it. No key reaches a name that starts with a dot.
    """

    def __init__(self, root: Path, staging: Staging) -> None:
        self._root = root
        self._staging = staging
        self._tree = BlobTree(root, staging)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    @classmethod
    async def open(cls, root: Path) -> FolderBlobStore:
        """Makes the folder if need be, and removes what crashed processes left unfinished."""
        with _outages(root):
            # Absolute, but with its links as they are: one may be moved to a larger disk.
            root = await asyncio.to_thread(root.absolute)
            return cls(root, await asyncio.to_thread(Staging, root))

    async def put(self, blobs: Sequence[Blob]) -> None:
        """As the port says. Raises the OSError of a file to copy from that cannot be read, and
        DoesNotFitError for one that is larger than files may be here."""
        latest = {check_key(blob.key): blob for blob in blobs}
        await asyncio.gather(*(self._run(self._tree.store, blob) for blob in latest.values()))
        # Every folder on the way, not only the last: another put may have made one a moment ago
        # and not have synced it yet. A folder without changes costs next to nothing.
        folders = {folder for key in latest for folder in self._tree.folders(key)}
        await asyncio.gather(*(self._run(self._tree.sync, folder) for folder in folders))

    async def get(self, key: str) -> bytes:
        return await self._run(self._tree.present, check_key(key), Path.read_bytes)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The blob's own file, not a copy: only to be read. A delete takes it away."""
        yield await self._run(self._tree.present, check_key(key), _readable)

    async def stat(self, key: str) -> BlobStat | None:
        return await self._run(self._tree.stat, check_key(key))

    async def room(self) -> int:
        return (await self._run(space, self._root)).room

    async def delete(self, keys: Sequence[str]) -> None:
        checked = [check_key(key) for key in keys]
        await asyncio.gather(*(self._run(self._tree.remove, key) for key in checked))

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        folder, _, start = check_prefix(prefix).rpartition("/")
        found = self._tree.walk(folder, start)
        while page := await self._run(lambda: tuple(islice(found, _LISTED_AT_ONCE))):
            for blob in page:
                yield blob

    async def close(self) -> None:
        """Waits for the writes under way."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._staging.close)

    async def _run(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        with _outages(self._root):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)


def _readable(path: Path) -> Path:
    path.open("rb").close()
    return path


@contextmanager
def _outages(root: Path) -> Iterator[None]:
    """What the operating system refuses is an outage of this folder, for as long as it lasts."""
    try:
        yield
    except SourceError as error:
        raise error.__cause__ or error from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise DoesNotFitError(
                f"the blob folder {root} takes no file of this size: {error.strerror}"
            ) from error
        raise OutageError(f"the blob folder {root} {trouble(root, error)}") from error
