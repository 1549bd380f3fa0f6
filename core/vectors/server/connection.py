"""The line to a Qdrant server: how it is opened, and what its answers mean to us."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import urlsplit

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from core.errors import OutageError, SettingsError

_Answer = TypeVar("_Answer")

_OLDEST = (1, 16)
"""The first version that keeps metadata with a collection."""

_REFUSALS = frozenset({400, 404, 409, 413, 422})
_MAY_PASS = frozenset({408, 425, 429})
_SHOWN = 300


class RefusedError(ValueError):
    """The server understood the request and refused it; the caller knows what that can mean."""


class Connection:
    """Sends requests, and turns what can go wrong into our errors.

    A server that is away, overloaded, full, out of time or closed to us is an OutageError that
    names it; one that refuses a request is a RefusedError.
    """

    def __init__(self, client: AsyncQdrantClient, url: str) -> None:
        self.client = client
        self.url = url

    @classmethod
    async def open(cls, url: str, api_key: str, timeout_s: float) -> Connection:
        """Raises SettingsError where another address or key is needed, OutageError where waiting
        may help."""
        shown = _shown(url)
        # Over REST alone, so that there is one way and tests go it. The key goes as a header,
        # because the client warns of keys without TLS on stderr, in the middle of our log lines.
        # It would also compare versions in a thread of its own, and warn of servers that are
        # further than one from its own; what is needed of a server is asked for below.
        client = AsyncQdrantClient(
            url=url,
            prefer_grpc=False,
            headers={"api-key": api_key} if api_key else None,
            timeout=math.ceil(timeout_s),
            check_compatibility=False,
        )
        connection = cls(client, shown)
        try:
            await connection._greet(bool(api_key))
        except BaseException:
            await connection.close()
            raise
        return connection

    async def ask(self, call: Awaitable[_Answer]) -> _Answer:
        """What a method of ``client`` gives."""
        try:
            return await call
        except UnexpectedResponse as error:
            if error.status_code in _REFUSALS:
                raise RefusedError(f"Qdrant at {self.url} says {_words(error)}") from error
            raise OutageError(f"Qdrant at {self.url} answers {_words(error)}") from error
        except ResponseHandlingException as error:
            if isinstance(error.source, RuntimeError):  # how httpx says that the client was closed
                raise error.source from None
            reason = repr(error.source)[:_SHOWN]
            raise OutageError(f"Qdrant at {self.url} is not reached: {reason}") from error
        except AssertionError as error:  # how the client says that an answer has no result
            raise OutageError(f"Qdrant at {self.url} answers nothing of use") from error
        except (ApiException, QdrantException) as error:
            raise OutageError(f"Qdrant at {self.url} takes no more: {error}") from error
        except ValueError as error:  # how the client's own in-memory server says no
            raise RefusedError(str(error)) from error

    async def expect(self, call: Awaitable[_Answer]) -> _Answer:
        """The same for what Qdrant never refuses: if it is, something else answers in its place,
        such as a proxy while the server starts."""
        try:
            return await self.ask(call)
        except RefusedError as refusal:
            raise OutageError(str(refusal)) from refusal

    async def change(
        self, call: Awaitable[models.UpdateResult | list[models.UpdateResult]]
    ) -> None:
        """Asks for a change; raises OutageError too where the server has not made it by now."""
        answer = await self.ask(call)
        results = [answer] if isinstance(answer, models.UpdateResult) else answer
        for result in results:
            if result.status != models.UpdateStatus.COMPLETED:
                raise OutageError(f"Qdrant at {self.url} has {result.status} a change, not made it")

    async def close(self) -> None:
        await self.client.close()

    async def _greet(self, with_key: bool) -> None:
        """Makes sure that a Qdrant is there which lets us in and has what is needed."""
        try:
            await self.ask(self.client.get_collections())
        except RefusedError as refusal:
            raise self._no_qdrant(refusal) from refusal
        except OutageError as outage:
            status = getattr(outage.__cause__, "status_code", None)
            if status in (401, 403):
                way = "correct QDRANT_API_KEY" if with_key else "set QDRANT_API_KEY"
                raise SettingsError(f"Qdrant at {self.url} does not let us in: {way}") from outage
            unread = getattr(outage.__cause__, "source", outage.__cause__)
            if isinstance(unread, AssertionError | ValueError) or (
                status is not None and status < 500 and status not in _MAY_PASS
            ):
                raise self._no_qdrant(outage) from outage
            raise
        version = (await self.expect(self.client.info())).version
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise SettingsError(
                f"Qdrant at {self.url} is of version {version}: upgrade it to {oldest} or newer, "
                "or set QDRANT_URL to another one"
            )

    def _no_qdrant(self, reason: Exception) -> SettingsError:
        return SettingsError(f"{self.url} is not Qdrant's: correct QDRANT_URL ({reason})")


def _shown(url: str) -> str:
    """The address as messages may show it; raises SettingsError if it is none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise SettingsError(f"QDRANT_URL is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("QDRANT_URL must be of the form http://host:6333")
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _words(error: UnexpectedResponse) -> str:
    words = error.content.decode(errors="replace")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        words = error.structured()["status"]["error"]
    return f"{error.status_code} {words[:_SHOWN]}".strip()
