"""Results as answers: whoever announced a medium waits for the ``media.tagged`` that names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from core.claimcheck import decode_checked
from core.errors import OutageError, PermanentError, TaggingError
from core.events import MediaTagged
from core.log.port import Record, TopicPartition
from core.ports import Ports
from core.results.answered import answer
from core.runtime.retry import RetryPolicy
from core.runtime.supervised import supervised
from core.unread import UNREADABLE

_log = structlog.get_logger()

_POLICY = RetryPolicy(base_s=0.2, cap_s=10.0)


class Answers:
    """Hears the results, and hands each to whoever waits for it; others leave nothing behind.

    A result may be said before anybody asks for it, between the announcement and the question. So
    who asks is noted first, and then what is stored already is looked at: a result is stored
    before it is said, so one of the two finds it.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._awaited: dict[str, list[asyncio.Future[MediaTagged]]] = {}
        self._failure: BaseException | None = None

    @property
    def awaited(self) -> int:
        """Announcements whose answer somebody waits for."""
        return len(self._awaited)

    async def to(self, media_id: str, root: str) -> MediaTagged:
        """The result of this medium that answers this announcement, whose event is in the log.

        Raises:
            TaggingError: why there will be none: what ended the hearing, before or meanwhile.
        """
        if self._failure is not None:
            raise self._failure
        future: asyncio.Future[MediaTagged] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(root, []).append(future)
        try:
            known = await self._known(media_id, root)
            return known if known is not None else await future
        finally:
            self._forget(root, future)

    async def listen(self, start: Mapping[TopicPartition, int]) -> None:
        """Hears what is said from these offsets on, until it is cancelled. While the log or a
        store is away, nothing is missed and everyone goes on waiting."""
        position, failures = dict(start), 0
        topics = [MediaTagged.topic]
        try:
            while True:
                try:
                    async for record in self._ports.log.tail(topics, position, follow=True):
                        await self._hear(record)
                        position[record.tp] = record.offset + 1
                        failures = 0
                except OutageError as outage:
                    failures += 1
                    _log.warning("answers_postponed", reason=str(outage), lost="nothing")
                    await asyncio.sleep(_POLICY.delay(failures))
        except asyncio.CancelledError:
            self._fail(TaggingError("results are not listened for any more"))
            raise
        except BaseException as error:
            self._fail(error)
            raise

    async def _hear(self, record: Record) -> None:
        try:
            data = (await decode_checked(record, self._ports.blobs)).data
        except UNREADABLE as error:
            _log.warning(
                "result_unreadable", record=record.place, reason=str(error), goes_on="behind it"
            )
            return
        if isinstance(data, MediaTagged):
            for upload in data.uploads:
                for future in self._awaited.get(upload.root, ()):
                    if not future.done():
                        future.set_result(data)

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        for future in (each for waiting in self._awaited.values() for each in waiting):
            if not future.done():
                future.set_exception(error)

    async def _known(self, media_id: str, root: str) -> MediaTagged | None:
        failures = 0
        while True:
            try:
                return await answer(self._ports, media_id, root)
            except OutageError as outage:
                failures += 1
                _log.warning("answers_postponed", reason=str(outage), lost="nothing")
                await asyncio.sleep(_POLICY.delay(failures))
            except PermanentError:
                return None  # damaged: the one that is waited for takes its place

    def _forget(self, root: str, future: asyncio.Future[MediaTagged]) -> None:
        waiting = self._awaited[root]
        waiting.remove(future)
        if not waiting:
            del self._awaited[root]
        if future.done() and not future.cancelled():
            future.exception()  # the one who asked has it, or went away


@asynccontextmanager
async def listening(ports: Ports) -> AsyncIterator[Answers]:
    """Hears every result from now on; enter it before announcing. What ends the hearing ends the
    block, too."""
    start = await ports.log.end_offsets([MediaTagged.topic])
    answers = Answers(ports)
    async with supervised() as beside:
        beside.start("answers", answers.listen(start))
        yield answers
