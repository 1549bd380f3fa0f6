"""One event's way through a stage: decode, handle, publish, and every policy about failure.

The loop in ``core.runtime.runner`` knows what may run; this file knows what happens when it runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from core import telemetry
from core.blobs.port import BlobStore
from core.claimcheck import decode_checked
from core.envelope import attributes_of
from core.errors import (
    AbandonedError,
    NewerEventError,
    OutageError,
    OwnershipLostError,
    PermanentError,
    StageStopError,
)
from core.events import Tombstone
from core.log.port import Message, Record
from core.runtime.deadletters import dead_letter, reason_of
from core.runtime.publisher import Publisher, encode_outputs
from core.runtime.retry import OutageGate, RetryPolicy
from core.runtime.stage import Context, Stage, wants
from core.tracing import traces as tracing

_log = structlog.get_logger()

Outcome = Literal["handled", "skipped", "dead"]


class Delivery:
    """Delivers records to a stage at least once, and gives up on none silently."""

    def __init__(
        self,
        stage: Stage,
        blobs: BlobStore,
        publisher: Publisher,
        policy: RetryPolicy,
        gate: OutageGate,
        stepped: Callable[[Record], Awaitable[bool]],
    ) -> None:
        """``stepped`` says whether somebody gave up this record, which a newer stage could do."""
        self._stage = stage
        self._blobs = blobs
        self._publisher = publisher
        self._policy = policy
        self._gate = gate
        self._stepped = stepped
        self._log = _log.bind(stage=stage.name)
        self._seconds = telemetry.SECONDS.labels(stage.name)
        self._retried = telemetry.RETRIED.labels(stage.name)
        self._handled = {
            outcome: telemetry.HANDLED.labels(stage.name, outcome)
            for outcome in ("handled", "skipped", "dead")
        }

    async def deliver(self, record: Record, owned: Callable[[], bool]) -> None:
        """Returns once the record is done with: handled, skipped or dead-lettered.

        Args:
            owned: whether its partition is still ours; asked right before anything is published.

        Raises:
            StageStopError: the stage must stop; the record's offset must stay.
            AbandonedError: the partition went away meanwhile, or the stage was asked to stop
                before another try; the record's offset must stay.
            OutageError: a dependency is away, and the stage was asked to stop.
        """
        started = time.perf_counter()
        outcome = await self._until_done(record, owned, started)
        seconds = time.perf_counter() - started
        self._seconds.observe(seconds)
        self._handled[outcome].inc()
        if self._log.is_enabled_for(logging.INFO):
            self._log.info(
                f"event_{outcome}",
                media_id=record.headers.get("ce_subject"),
                frame=record.headers.get("ce_frame"),
                trace=record.headers.get("traceparent"),
                seconds=round(seconds, 4),
            )

    async def _until_done(
        self, record: Record, owned: Callable[[], bool], started: float
    ) -> Outcome:
        if not wants(self._stage, record):
            return "skipped"
        attempts = 0
        while True:
            if self._gate.closed:
                await self._gate.passed()
            try:
                messages = await self._attempt(record, attempts + 1)
                await self._publish(messages, owned)
            except NewerEventError:
                if await self._stepped(record):
                    return "dead"
                raise
            except (StageStopError, AbandonedError):
                raise  # no event is to blame
            except OutageError as outage:
                await self._gate.outage(outage)
            except Exception as error:
                attempts += 1
                if isinstance(error, PermanentError) or attempts >= self._policy.max_attempts:
                    await self.bury(record, owned, error, attempts)
                    return "dead"
                await self._back_off(record, error, attempts)
            else:
                self._gate.recovered()
                if tracing.traced():
                    _trace(record, messages, time.perf_counter() - started)
                return "handled"

    async def bury(
        self, record: Record, owned: Callable[[], bool], error: Exception, attempts: int
    ) -> None:
        """Publishes the dead letter, whatever the record is; waits out outages."""
        name, reason = self._stage.name, reason_of(error)
        pipeline = self._stage.path(attributes_of(record).get("pipeline", ""))
        letter, blob = dead_letter(record, name, pipeline, error, attempts)
        _log.warning(
            "event_dead_lettered",
            stage=name,
            record=record.place,
            media_id=letter.headers["ce_subject"],
            frame=letter.headers.get("ce_frame"),
            attempts=attempts,
            error=type(error).__name__,
            reason=reason,
            exc_info=None if isinstance(error, PermanentError) else error,
        )
        while True:
            try:
                if blob is not None:
                    await self._blobs.put([blob])
                await self._publish([letter], owned)
            except OutageError as outage:
                await self._gate.outage(outage)
            else:
                self._gate.recovered()
                if tracing.traced():
                    _trace(record, [letter], 0.0, reason)
                return

    async def _attempt(self, record: Record, attempt: int) -> list[Message]:
        event = await decode_checked(record, self._blobs)
        if event.purpose not in self._stage.purposes or event.target not in (
            None,
            self._stage.name,
        ):
            return []  # structured mode hides both from the headers
        if isinstance(event.data, Tombstone) and not self._stage.tombstones:
            return []
        context = Context(record.tp, record.offset, attempt)
        outputs = await self._stage.handle(event, context)
        return await encode_outputs(self._stage, event, outputs, self._blobs)

    async def _publish(self, messages: list[Message], owned: Callable[[], bool]) -> None:
        # After a revoke somebody else does this event again; what we say now would come twice.
        if not owned():
            raise OwnershipLostError(f"{self._stage.name}: partition was taken away")
        await self._publisher.publish(messages)

    async def _back_off(self, record: Record, error: Exception, attempts: int) -> None:
        delay = self._policy.delay(attempts)
        self._retried.inc()
        _log.info(
            "attempt_failed",
            stage=self._stage.name,
            media_id=record.headers.get("ce_subject"),
            attempt=attempts,
            error=type(error).__name__,
            reason=reason_of(error),
            next_attempt_in_s=round(delay, 3),
        )
        await self._gate.rest(delay)


def _trace(
    record: Record, messages: list[Message], seconds: float, error: str | None = None
) -> None:
    tracing.published(messages, attributes_of(record).get("traceparent"), seconds, error)
