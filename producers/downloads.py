"""Objects of a bucket as files, for as long as they are taken in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from minio import Minio
from minio.error import S3Error
from urllib3.response import BaseHTTPResponse

from core.errors import OutageError
from core.files.private import private_file
from core.files.space import check_fits, trouble
from core.s3 import S3Connection, is_missing
from producers.objects import Version

_PIECE = 1 << 20


class NoRoomError(OutageError):
    """The scratch folder takes no more; free some space where it is."""


class Downloads:
    """Some at a time.

    Args:
        parallel: objects that are read at once.
    """

    def __init__(self, connection: S3Connection, bucket: str, parallel: int) -> None:
        self._connection = connection
        self._bucket = bucket
        self._turns = asyncio.Semaphore(parallel)
        self._closed = threading.Event()

    async def fetch(
        self, wanted: Version, path: Path, take: Callable[[Version], bool]
    ) -> Version | None:
        """Writes the object to ``path`` as it is now, and says what it is: what was wanted, or what
        replaced it. None if it is gone.

        One answer of the server is of one version, so nothing is read of two; what is deleted
        under the reading is cut short, and that is noticed by its length.

        Args:
            take: asked with what the server is about to send, on another thread; False leaves it.

        Raises:
            OutageError: the server or the bucket is away, or the answer was cut short.
            NoRoomError: the disk is full.
            DoesNotFitError: there is not enough room for this object; none of it was read.
            S3Error: the server will not give this object.
        """
        async with self._turns:
            return await self._connection.call(
                lambda client: self._fetch(client, wanted, path, take)
            )

    def close(self) -> None:
        """Ends the downloads that nobody waits for any more."""
        self._closed.set()

    def _fetch(
        self, client: Minio, wanted: Version, path: Path, take: Callable[[Version], bool]
    ) -> Version | None:
        try:
            response = client.get_object(self._bucket, wanted.key)
        except S3Error as error:
            if is_missing(error):
                return None
            raise
        try:
            found = Version.answered(wanted, response)
            if take(found):
                _check_room(found, path.parent)
                self._write(response, path)
        finally:
            response.close()
            response.release_conn()
        return found

    def _write(self, response: BaseHTTPResponse, path: Path) -> None:
        # As it is stored: an object that calls itself gzip is not unpacked.
        pieces = response.stream(_PIECE, decode_content=False)
        try:
            with open(path, "wb", opener=private_file) as file:
                for piece in pieces:
                    if self._closed.is_set():
                        raise OutageError("the producer ends before the download")
                    file.write(piece)
        except OSError as error:
            raise NoRoomError(f"{path.parent} {trouble(path.parent, error)}") from error


def _check_room(found: Version, folder: Path) -> None:
    try:
        check_fits(folder, found.size, found.key)
    except OSError as error:
        raise NoRoomError(f"{folder} {trouble(folder, error)}") from error
