"""Blobs in a bucket: the key is the object's name, and every host sees the same."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TypeVar

from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error

from core.blobs.content_types import UNKNOWN
from core.blobs.keys import check_key, check_prefix
from core.blobs.port import Blob, BlobStat
from core.errors import BlobMissingError, InvalidKeyError, OutageError
from core.files.private import private_file
from core.files.scratch import Scratch, temporary_folder
from core.files.space import check_fits, trouble
from core.s3 import S3Connection, is_missing, remove

_Result = TypeVar("_Result")

_PIECE = 1 << 20
_LARGE = 5 << 20
"""From this size on an upload goes in parts of this size, one after the other, so that a part is
all that is in memory."""

_LARGE_AT_ONCE = 4
_LISTED_AT_ONCE = 256
_NO_NAME = {"XMinioInvalidObjectName", "KeyTooLongError", "XMinioParentIsObject"}


class S3BlobStore:
    """A BlobStore that the processes of many hosts share.

    S3 shows an object when all of it has arrived, also one that came in parts: a reader meets the
    old blob or the new one, and an upload that breaks off leaves nothing under its key. What the
    server has acknowledged survives our crashes and its own. Power loss on a single drive it
    survives as the server is set up: MinIO syncs what it writes, and names with
    ``MINIO_FS_OSYNC=on``; SeaweedFS syncs with ``fs.configure -fsync``. Parts of uploads that broke
    off are for the server to clean up (MinIO does after a day, AWS needs a lifecycle rule).

    As in a folder, no key may go on, after a slash, where another one ends; but nobody checks:
    MinIO keeps such a blob and does not list it.
    """

    def __init__(self, connection: S3Connection, bucket: str, scratch: Scratch | None) -> None:
        self._connection = connection
        self._bucket = bucket
        self._scratch = scratch
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    @classmethod
    async def open(
        cls, connection: S3Connection, bucket: str, scratch: Scratch | None = None
    ) -> S3BlobStore:
        """Makes the bucket if it is not there.

        Args:
            connection: stays open when this is closed; it belongs to whoever made it.
            scratch: where local files are for a moment, else the system's temporary folder.

        Raises:
            SettingsError: the login or the bucket's name is refused.
        """
        await connection.ensure_bucket(bucket)
        return cls(connection, bucket, scratch)

    async def put(self, blobs: Sequence[Blob]) -> None:
        """As the port says. Raises the OSError of a file to copy from that cannot be read.

        After an outage or a cancellation the server may still carry out what was under way.
        """
        latest = {check_key(blob.key): blob for blob in blobs}
        await asyncio.gather(*(self._store(blob) for blob in latest.values()))

    async def get(self, key: str) -> bytes:
        check_key(key)

        def job(client: Minio) -> bytes:
            with client.get_object(self._bucket, key) as response:
                return response.read()

        return await self._about(key, job)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """A copy, with the blob's name, that is gone with the context.

        Raises:
            DoesNotFitError: it is larger than what is left of the disk.
            OutageError: also where there is no room for any.
        """
        with temporary_folder(self._scratch.path if self._scratch else Path(gettempdir())) as room:
            path = room / check_key(key).rpartition("/")[2]
            await self._download(key, path)
            yield path

    async def stat(self, key: str) -> BlobStat | None:
        check_key(key)
        try:
            found = await self._about(key, lambda client: client.stat_object(self._bucket, key))
        except BlobMissingError:
            return None
        return _blob_stat(key, found, found.content_type)

    async def room(self) -> None:
        """S3 servers do not say."""

    async def delete(self, keys: Sequence[str]) -> None:
        names = [check_key(key) for key in keys]
        await self._connection.call(lambda client: remove(client, self._bucket, names))

    async def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """Reads the whole listing first, for a server may give it folder by folder (SeaweedFS:
        ``a/b`` before ``a-b``), which is not the order of keys."""
        check_prefix(prefix)
        found = await self._connection.call(
            lambda client: sorted(
                client.list_objects(self._bucket, prefix, recursive=True, include_user_meta=True),
                key=lambda entry: entry.object_name or "",
            )
        )
        for start in range(0, len(found), _LISTED_AT_ONCE):
            page = found[start : start + _LISTED_AT_ONCE]
            for blob in await asyncio.gather(*(self._typed(entry) for entry in page)):
                if blob is not None:
                    yield blob

    async def close(self) -> None:
        """Nothing is held here."""

    async def _store(self, blob: Blob) -> None:
        if isinstance(blob.data, bytes) and len(blob.data) < _LARGE:
            await self._upload(blob)
            return
        async with self._large:
            await self._upload(blob)

    async def _upload(self, blob: Blob) -> None:
        def job(client: Minio) -> None:
            data = blob.data
            with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as source:
                size = source.seek(0, io.SEEK_END)
                source.seek(0)
                client.put_object(
                    *(self._bucket, blob.key, source, size, blob.content_type),
                    part_size=_LARGE,
                    num_parallel_uploads=1,
                )

        await self._about(blob.key, job)

    async def _download(self, key: str, path: Path) -> None:
        def job(client: Minio) -> None:
            with (
                client.get_object(self._bucket, key) as response,
                open(path, "wb", opener=private_file) as file,
            ):
                size = int(response.headers.get("content-length", 0))
                check_fits(path.parent, size, f"a copy of blob {key!r}")
                file.writelines(response.stream(_PIECE))

        try:
            await self._about(key, job)
        except OSError as error:
            raise OutageError(
                f"no copy of blob {key!r} can be made: {path.parent} {trouble(path.parent, error)}"
            ) from error

    async def _typed(self, entry: Object) -> BlobStat | None:
        """MinIO's listing has content types, others' have not; None if it was just deleted."""
        key = entry.object_name or ""
        content_type = (entry.metadata or {}).get("content-type")
        return _blob_stat(key, entry, content_type) if content_type else await self.stat(key)

    async def _about(self, key: str, job: Callable[[Minio], _Result]) -> _Result:
        """What the job gives that is about one blob; raises BlobMissingError, InvalidKeyError."""
        try:
            return await self._connection.call(job)
        except S3Error as error:
            if is_missing(error):
                raise BlobMissingError(
                    f"blob {key!r} is not in bucket {self._bucket!r}; submit its medium again"
                ) from error
            if error.code in _NO_NAME:
                raise InvalidKeyError(f"blob key {key!r}: {error.message}") from error
            raise


def _blob_stat(key: str, found: Object, content_type: str | None) -> BlobStat:
    # Whole seconds: some answers have fractions where others have none.
    modified = found.last_modified.replace(microsecond=0).timestamp() if found.last_modified else 0
    return BlobStat(key, found.size or 0, content_type or UNKNOWN, modified)
