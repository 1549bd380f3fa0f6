"""A bucket as a place to watch: notices of its puts, and its listing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from minio.error import S3Error

from core.errors import OutageError, SettingsError
from core.s3 import S3Connection
from producers.bucket_notices import BucketNotices
from producers.downloads import Downloads
from producers.objects import Version, list_bucket, place_of, sort_out, uri_of
from producers.place import Notice, Page


@dataclass(frozen=True, slots=True)
class WatchedBucket:
    """A bucket, and who announces what is in it."""

    producer: str
    name: str
    connection: S3Connection

    @property
    def place(self) -> str:
        return place_of(self.name)

    def uri(self, version: Version) -> str:
        return uri_of(self.name, version.key)


class BucketPlace:
    """One bucket of a server.

    Args:
        notices: where hints come from.
        downloads: of its objects, to be cut short when the bucket is left.
    """

    subscribes_in_s = 1.0

    def __init__(self, bucket: WatchedBucket, notices: BucketNotices, downloads: Downloads) -> None:
        self._bucket = bucket
        self._notices = notices
        self._downloads = downloads
        self._met = False

    def notices(self) -> AsyncIterator[Notice[Version]]:
        return self._notices.follow()

    async def list(self, _: AbstractSet[str], /) -> AsyncIterator[Page[Version]]:
        """Raises SettingsError: there is no such bucket when the server is first met."""
        try:
            await self._meet()
            async for page in list_bucket(self._bucket.connection, self._bucket.name):
                yield page
        except S3Error as error:
            raise OutageError(
                f"the bucket cannot be listed ({error.code}: {error.message}): check that the"
                " server is well"
            ) from error

    async def look(self, hints: Sequence[Version], /) -> Page[Version]:
        return sort_out(hints)

    async def close(self) -> None:
        self._downloads.close()

    async def _meet(self) -> None:
        name, connection = self._bucket.name, self._bucket.connection
        if not self._met and not await connection.call(lambda client: client.bucket_exists(name)):
            raise SettingsError(
                f"the bucket to watch, {name}, is not there: make it on {connection.endpoint}, or"
                " correct its name"
            )
        self._met = True
