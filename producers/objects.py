"""What in a bucket is ours to take: versions of objects, listed by pages or named by a notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import NamedTuple, Self
from urllib.parse import quote

from minio.datatypes import Object
from urllib3.response import BaseHTTPResponse

from core.media.probe import kind_of
from core.s3 import S3Connection
from producers.names import extension, hidden, unfinished
from producers.place import Page

_PAGE = 1000
"""What S3 servers list in one answer."""


class Version(NamedTuple):
    """An object as it was at some time; ``size`` in bytes.

    Same key, etag and size are the same bytes. A version id tells nothing beyond that: a put of
    the same bytes gets a new one, and listings leave it out.
    """

    key: str
    etag: str
    size: int

    @classmethod
    def listed(cls, found: Object) -> Self:
        return cls(found.object_name or "", plain_etag(found.etag), found.size or 0)

    @classmethod
    def answered(cls, wanted: Self, response: BaseHTTPResponse) -> Self:
        """What an answer to GET is about to send, by its headers."""
        size = response.headers.get("content-length", wanted.size)
        return cls(wanted.key, plain_etag(response.headers.get("etag")), int(size))

    @property
    def mark(self) -> str:
        """As the ledger keeps it."""
        return f"{self.etag}:{self.size}"


async def list_bucket(connection: S3Connection, bucket: str) -> AsyncIterator[Page[Version]]:
    """Everything in the bucket, page by page.

    Raises:
        OutageError: the server or the bucket is away.
        S3Error: the server answers otherwise.
    """
    found = await connection.call(lambda client: client.list_objects(bucket, recursive=True))
    while some := await connection.call(lambda _: list(islice(found, _PAGE))):
        yield sort_out(map(Version.listed, some))


def sort_out(versions: Iterable[Version]) -> Page[Version]:
    """Sorts objects by name: hidden, unfinished and folder-like ones are neither ours nor
    counted."""
    page: Page[Version] = Page()
    for version in versions:
        *folders, name = version.key.split("/")
        if not name or any(map(hidden, (*folders, name))) or unfinished(name):
            continue
        if kind_of(name) is None:
            page.ignored[extension(name)] += 1
        else:
            page.ours[version.key] = version
    return page


def place_of(bucket: str) -> str:
    """The bucket's uri."""
    return f"s3://{bucket}"


def uri_of(bucket: str, key: str) -> str:
    """The object's; keys are any text, so all but what RFC 3986 leaves unreserved is escaped."""
    return f"{place_of(bucket)}/{quote(key, safe='/')}"


def plain_etag(etag: str | None) -> str:
    """Without quotes, and without the mark of a proxy that recodes answers."""
    return (etag or "").removeprefix("W/").strip('"')
