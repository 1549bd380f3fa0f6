"""Publishing for a stage: derives what a new event inherits, and shares round trips."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from core.blobs.port import BlobStore
from core.claimcheck import encode_checked
from core.envelope import Event, dump, type_of
from core.errors import StageStopError
from core.events import Data
from core.ids import event_id
from core.log.port import EventLog, Fence, Message
from core.runtime.stage import Output, Stage
from core.tracing.traces import traceparent

_Part = tuple[Sequence[Message], asyncio.Future[None]]


class Publisher:
    """Publishes under a fence. While one write is on its way the next one gathers, so a thousand
    handlers that finish together cost a few writes; the order of calls is kept."""

    def __init__(self, log: EventLog, fence: Callable[[], Fence | None]) -> None:
        self._log = log
        self._fence = fence
        self._pending: list[_Part] = []
        self._writer: asyncio.Task[None] | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        """Durable on return; raises OwnershipLostError and OutageError."""
        if not messages:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((messages, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        try:
            await future
        finally:
            del future  # see core.runtime.collecting

    async def flushed(self) -> None:
        """Returns when nothing is on its way any more."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                messages = [message for part, _ in batch for message in part]
                try:
                    await self._log.publish(messages, self._fence())
                except Exception as error:  # handed to every caller of this write
                    _answer(batch, error)
                except BaseException:
                    self._pending = batch + self._pending
                    raise
                else:
                    _answer(batch)
                finally:
                    del batch  # see core.runtime.collecting
        except BaseException as error:
            # Ended, or broken in no usual way: callers must not wait for ever.
            batch, self._pending = self._pending, []
            _answer(batch, StageStopError(f"publishing was cut off: {error!r}"))
            raise
        finally:
            self._writer = None


def _answer(batch: Iterable[_Part], error: Exception | None = None) -> None:
    for _, future in batch:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def derive(stage: Stage, parent: Event[Data], output: Output, value: bytes) -> Event[Data]:
    """The event that ``stage`` makes of ``parent``: ids derived, attributes inherited."""
    name = stage.name
    identity = output.event_id or event_id(name, type_of(output.data), parent.id, value)
    return Event(
        id=identity,
        source=f"/stages/{name}",
        subject=output.data.media_id,
        root=parent.root,
        data=output.data,
        purpose=parent.purpose,
        pipeline=output.pipeline or stage.path(parent.pipeline),
        frame=output.frame or parent.frame,
        replay=parent.replay,
        traceparent=traceparent(parent.root, identity),
        extensions=parent.extensions,
    )


async def encode_outputs(
    stage: Stage, parent: Event[Data], outputs: Sequence[Output], blobs: BlobStore
) -> list[Message]:
    """The records of a handler's outputs, in order."""
    messages = []
    for output in outputs:
        value = dump(output.data)
        event = derive(stage, parent, output, value)
        messages.append(await encode_checked(event, value, blobs))
    return messages
