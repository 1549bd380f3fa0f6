"""Hints from an S3 server that objects were put, and whether they come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from core.runtime.retry import RetryPolicy
from core.s3 import S3Connection
from producers.objects import Version
from producers.place import Notice, Put, Subscribed, Unsubscribed
from producers.records import CREATED, created

_READ = 1 << 16
_REFUSALS = {400, 403, 405, 501}
"""HTTP statuses of a server that does not know the call, or not from us."""


class BucketNotices(Protocol):
    """A source of notices of a bucket's puts."""

    def follow(self) -> AsyncIterator[Notice[Version]]:
        """Without end: subscribes, and subscribes again after a while if that fails or ends."""
        ...


class ServerNotices:
    """Listens to the server itself, if it is MinIO; it keeps no notices for later.

    Args:
        again_s: seconds after which a server that refused is asked again; it may be another by
            then.
        patience_s: a listener that hears no sign of life for so many seconds gives up.
    """

    def __init__(
        self,
        connection: S3Connection,
        bucket: str,
        *,
        retry: RetryPolicy,
        again_s: float,
        patience_s: float = 10.0,
    ) -> None:
        self._connection = connection
        self._bucket = bucket
        self._retry = retry
        self._again_s = again_s
        self._patience_s = patience_s

    async def follow(self) -> AsyncIterator[Notice[Version]]:
        failures = 0
        while True:
            subscribed = False
            try:
                async with contextlib.aclosing(self._listen()) as signs:
                    async for line in signs:
                        if not subscribed:
                            subscribed, failures = True, 0
                            yield Subscribed()
                        if line:
                            yield Put(created(line, self._bucket, encoded=False))
                ended = Unsubscribed("the server ended the subscription", refused=False)
            except TimeoutError:
                # MinIO's sources since October 2025 accept a subscription and keep all back.
                reason = f"listening to the server, no sign of life for {self._patience_s:g} s"
                ended = Unsubscribed(reason, refused=not subscribed)
            except S3Error as error:
                reason = f"the server sends no notifications ({error.code})"
                ended = Unsubscribed(reason, refused=error.response.status in _REFUSALS)
            except _NoStreamError as error:
                ended = Unsubscribed(str(error), refused=True)
            except (MinioException, HTTPError) as error:
                ended = Unsubscribed(f"the server cannot be listened to: {error}", refused=False)
            yield ended
            failures += 1
            pause_s = self._retry.base_s / 2 + self._retry.delay(failures)
            await asyncio.sleep(self._again_s if ended.refused else pause_s)

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        """One subscription: its lines, and empty ones as signs of life, the first of which says
        that it stands. Raises what minio-py does, and TimeoutError."""
        subscription = _Subscription(await self._connection.call(_itself), self._bucket)
        subscription.start()
        try:
            while True:
                async with asyncio.timeout(self._patience_s):
                    sign = await subscription.signs.get()
                if sign is None:
                    return
                if isinstance(sign, Exception):
                    raise sign
                yield sign
        finally:
            subscription.cut()


class _NoStreamError(Exception):
    """The server took the call for another one: a listing, as AWS does."""


class _Subscription(threading.Thread):
    """Reads on a thread of its own: a subscription lasts for days, and the connection's threads
    are for jobs that end. Nobody waits for it to end, since a frozen server may keep it a while.

    Attributes:
        signs: see ``_listen``; None ends them, or the exception that did.
    """

    def __init__(self, client: Minio, bucket: str) -> None:
        super().__init__(name=f"notices of {bucket}", daemon=True)
        self.signs: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._bucket = bucket
        self._response: BaseHTTPResponse | None = None
        self._cut = False

    def run(self) -> None:
        end: Exception | None = None
        try:
            self._read()
        except Exception as error:  # the loop raises it
            end = error
        self._hand_on(end)

    def cut(self) -> None:
        """Ends it as soon as the server allows; called from the event loop."""
        self._cut = True
        if self._response is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                self._response.shutdown()  # or it has ended

    def _read(self) -> None:
        # listen_bucket_notification reads byte by byte, cannot be interrupted, and hides that it
        # subscribes anew. This is the call it makes; an answer begins once the subscription stands.
        self._response = response = self._client._execute(
            "GET",
            self._bucket,
            query_params={"prefix": "", "suffix": "", "events": CREATED},
            preload_content=False,
        )
        try:
            kind = response.headers.get("content-type", "nothing")
            if not kind.startswith("text/event-stream"):
                raise _NoStreamError(f"the server sends no notifications (it answers with {kind})")
            rest = b""
            self._hand_on(b"")
            while not self._cut and (piece := response.read1(_READ)):
                *lines, rest = (rest + piece).split(b"\n")
                # An idle MinIO sends a blank twice a second.
                rest = rest.lstrip()
                for line in lines or [b""]:
                    self._hand_on(line.strip())
        finally:
            response.close()

    def _hand_on(self, sign: bytes | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self.signs.put_nowait, sign)


def _itself(client: Minio) -> Minio:
    return client
