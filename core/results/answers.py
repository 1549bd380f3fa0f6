"""Results as answers: whoever announced a medium waits for the ``media.tagged`` that names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from core.blobs.port import BlobStore
from core.envelope import Event, dataref, decode
from core.events import Data, MediaTagged
from core.log.port import Record, TopicPartition
from core.ports import Ports


class Answers:
    """The results said since it began to listen, by the announcement that they answer."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[MediaTagged]] = {}
        self._said: dict[str, MediaTagged] = {}

    def to(self, root: str) -> asyncio.Future[MediaTagged]:
        """The result that names this announcement, also if it came before this was asked."""
        future = self._awaited.get(root)
        if future is None:
            future = self._awaited[root] = asyncio.get_running_loop().create_future()
            if (tagged := self._said.pop(root, None)) is not None:
                future.set_result(tagged)
        return future

    def hear(self, tagged: MediaTagged) -> None:
        for upload in tagged.uploads:
            future = self._awaited.get(upload.root)
            if future is None:
                self._said[upload.root] = tagged
            elif not future.done():
                future.set_result(tagged)

    def fail(self, error: BaseException) -> None:
        """Whoever waits learns why there will be no answer."""
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(error)


@asynccontextmanager
async def listening(ports: Ports) -> AsyncIterator[Answers]:
    """Hears every result from now on; enter it before announcing."""
    start = await ports.log.end_offsets([MediaTagged.topic])
    answers = Answers()
    task = asyncio.create_task(_listen(ports, start, answers))
    try:
        yield answers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_event(record: Record, blobs: BlobStore) -> Event[Data]:
    """The event of a record, with data that was too large for it fetched from the blob store."""
    reference = dataref(record)
    return decode(record, await blobs.get(reference) if reference else None)


async def _listen(ports: Ports, start: Mapping[TopicPartition, int], answers: Answers) -> None:
    try:
        async for record in ports.log.tail([MediaTagged.topic], start, follow=True):
            if record.value is not None:
                event = await read_event(record, ports.blobs)
                answers.hear(event.of(MediaTagged).data)
    except Exception as error:
        answers.fail(error)
        raise
