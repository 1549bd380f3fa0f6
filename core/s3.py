"""A connection to an S3 server (MinIO, SeaweedFS, AWS): threads, timeouts, and what errors mean.

minio-py blocks, so its calls are jobs on threads of their own. What goes wrong with the server, the
network or the bucket is an OutageError: nothing that an event is at fault for, and over once
somebody has seen to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from core.errors import OutageError, SettingsError

_Result = TypeVar("_Result")

_CONNECT_S = 10.0
"""For connecting, and also for sending one request with its body: urllib3 counts that in."""

_READ_S = 60.0
"""Between two signs of life of the server: a large listing or delete may take it a while."""

_MISSING = {"NoSuchKey", "NoSuchObject"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "InvalidRegion"}
_MADE_MEANWHILE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_FULL = {"XMinioStorageFull", "XMinioDiskFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}
_CLOCK = {"RequestTimeTooSkewed"}
_BUSY = {"SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "RequestTimeout"}
_NAMES = "names take 3 to 63 lowercase letters, digits, dots and dashes; see S3_BUCKET"
_BUSY_STATUS = {408, 429, 500, 502, 503, 504, 507}  # not 501: a call that it does not know


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where the server is, and who we are there.

    Attributes:
        endpoint: ``http://host:port`` or ``https://host:port``.
        region: only where the server wants one; empty asks it.

    Raises:
        SettingsError: one of them cannot be right.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = ""

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.endpoint)
            plain = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
            plain = plain and "@" not in url.netloc and url.path in ("", "/")
            plain = plain and not url.query and not url.fragment
        except ValueError:
            plain = False
        if not plain:
            raise SettingsError(
                f"S3_ENDPOINT {self.endpoint!r} is not the address of an S3 server: it looks like"
                " http://host:9000 or https://host, with nothing after it"
            )
        if not self.access_key or not self.secret_key:
            raise SettingsError(
                f"S3_ACCESS_KEY and S3_SECRET_KEY are both needed to log in at {self.endpoint}"
            )


class S3Connection:
    """Runs jobs against one server; shared by all that need it, closed by its maker.

    Args:
        threads: jobs that run side by side; each has a TCP connection of its own.
        read_timeout_s: after how many seconds a silent server counts as away.
    """

    def __init__(
        self, options: S3Options, threads: int = 16, *, read_timeout_s: float = _READ_S
    ) -> None:
        """Connects to nothing yet. Raises SettingsError."""
        self.endpoint = options.endpoint
        url = urlsplit(options.endpoint)
        self._pool = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=read_timeout_s),
            retries=_Retries(total=1, connect=0, status=0, respect_retry_after_header=False),
        )
        try:
            self._client = Minio(
                url.netloc,
                options.access_key,
                options.secret_key,
                secure=url.scheme == "https",
                region=options.region or None,
                http_client=self._pool,
            )
        except ValueError as error:
            raise SettingsError(f"S3_ENDPOINT or S3_REGION: {error}") from error
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="s3")

    async def call(self, job: Callable[[Minio], _Result]) -> _Result:
        """What the job gives. Once begun it runs to its end, whatever becomes of the caller.

        Raises:
            OutageError: the server is away, silent, full, busy, or refuses us; or the bucket is
                not there, which somebody must see to before anything can go on.
            S3Error: any other answer of the server, among them the one that is_missing recognises.
        """
        loop = asyncio.get_running_loop()
        with self._outages():
            return await loop.run_in_executor(self._threads, job, self._client)

    async def ensure_bucket(self, name: str) -> None:
        """Makes the bucket if it is not there; the first contact, so it also tries the login.

        Raises:
            SettingsError: the login or the name is refused.
            OutageError: as for ``call``.
        """

        def ensure(client: Minio) -> None:
            try:
                if not client.bucket_exists(name):
                    client.make_bucket(name)
            except S3Error as error:
                if error.code in _MADE_MEANWHILE:
                    return
                if advice := _setting(error):
                    raise SettingsError(
                        f"{self.endpoint} refuses us the bucket {name!r} ({error.code}): {advice}"
                    ) from error
                raise
            except ValueError as error:
                raise SettingsError(f"no bucket can be called {name!r}: {_NAMES}") from error

        await self.call(ensure)

    async def close(self) -> None:
        """Waits for the jobs under way; a second time does nothing."""
        await asyncio.to_thread(self._threads.shutdown)
        self._pool.clear()

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as error:
            raise OutageError(
                f"the S3 server {self.endpoint} cannot be reached ({_why(error)}): check that it"
                " runs, and S3_ENDPOINT"
            ) from error
        except S3Error as error:
            if advice := _advice(error):
                raise OutageError(
                    f"the S3 server {self.endpoint} answers {error.code}: {advice}"
                ) from error
            raise
        except (ServerError, InvalidResponseError, ParseError) as error:
            raise OutageError(
                f"{self.endpoint} does not answer as an S3 server does ({error}): check that it is"
                " well, and S3_ENDPOINT"
            ) from error


def is_missing(error: MinioException) -> bool:
    """Whether the server says that there is no object under this key."""
    return isinstance(error, S3Error) and error.code in _MISSING


def remove(client: Minio, bucket: str, names: Iterable[str]) -> None:
    """Removes objects, a thousand in a request; one that is not there is no error.

    Raises:
        OutageError: the server kept one; some of the others may be gone.
    """
    for error in client.remove_objects(bucket, map(DeleteObject, names)):
        if error.code not in _MISSING:
            raise OutageError(
                f"the S3 server does not delete {error.name!r} in bucket {bucket!r}"
                f" ({error.code}: {error.message}): check our rights there, and the server's log"
            )


class _Retries(urllib3.Retry):
    """A connection that broke is made anew, once: it may be older than the server that runs now.

    A silent server is not asked again, for that would double the time until it is noticed; and
    longer patience is for those who call, who also know what to put off meanwhile.
    """

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _setting(error: S3Error) -> str | None:
    """Which setting to correct, where this is what the first contact meets."""
    if error.code in _REFUSED:
        return "check S3_ACCESS_KEY and S3_SECRET_KEY, and what they are allowed to do"
    if error.code in _REGION:
        return f"set S3_REGION ({error.message})"
    if error.code == "InvalidBucketName":
        return _NAMES
    return None


def _advice(error: S3Error) -> str | None:
    """What to do about an outage; None where the answer is about this one request."""
    if error.code in _FULL:
        return "it is full: free some space"
    if error.code == "NoSuchBucket":
        return f"the bucket {error.bucket_name!r} is not there: make it again, or restore it"
    if error.code in _REFUSED:
        return "it no longer lets us in: check S3_ACCESS_KEY, S3_SECRET_KEY and their rights"
    if error.code in _CLOCK:
        return "its clock and ours differ: set them right"
    if error.code in _BUSY or error.response.status in _BUSY_STATUS:
        return f"it is overloaded or in trouble ({error.message}): look at its log"
    return None


def _why(error: HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(reason).__name__
