"""When to try again: per event for errors of the event, per stage for outages."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import structlog

from core.errors import OutageError, StoppingError
from core.runtime.waiting import pause

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter (AWS Architecture Blog, 2015).

    Attributes:
        max_attempts: tries of one event before it is dead-lettered.
        max_deaths: ends of the whole process while this event ran alone, before it is. More than
            attempts, since plugs are pulled for other reasons, too.
        base_s: ceiling of the first delay, in seconds; doubles with each attempt.
        cap_s: ceiling of any delay, in seconds.
    """

    max_attempts: int = 5
    max_deaths: int = 10
    base_s: float = 0.2
    cap_s: float = 30.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the ``attempt``-th failure, counted from 1."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, ceiling)  # noqa: S311  # jitter is no secret


class OutageGate:
    """Closed while a dependency is away: one event probes it, the others wait and lose nothing.

    Without the gate every event in flight would hammer a store that is trying to come back. The
    prober is the task that met the outage first; it alone reopens the gate.

    Attributes:
        reason: why it is closed, None while it is open.
    """

    def __init__(self, stage: str, policy: RetryPolicy) -> None:
        self._stage = stage
        self._policy = policy
        self._passable = asyncio.Event()
        self._passable.set()
        self._end = asyncio.Event()
        self._prober: asyncio.Task[object] | None = None
        self._failures = 0
        self.reason: str | None = None

    @property
    def closed(self) -> bool:
        return self.reason is not None

    def end(self) -> None:
        """Ends all waiting: tasks that wait here, and those that come later, go on at once; where
        the dependency is still away, with an error."""
        self._end.set()
        self._passable.set()

    async def passed(self) -> None:
        """Returns at once while open, and for the prober; else when the dependency is back.

        Raises:
            OutageError: it is away, and nobody waits any more.
        """
        if self._prober is not None and self._prober is asyncio.current_task():
            return
        while self.reason is not None:
            if self._end.is_set():
                raise OutageError(self.reason)
            await self._passable.wait()

    async def outage(self, error: OutageError) -> None:
        """Called by the task that met the outage; returns when it should try again.

        Raises:
            OutageError: this one, once nobody waits any more.
        """
        if self._end.is_set():
            raise error
        me = asyncio.current_task()
        if self._prober is not None and self._prober is not me:
            await self.passed()
            return
        self._prober = me
        self._passable.clear()
        self._failures += 1
        self.reason = str(error)
        if self._failures == 1:
            _log.warning("stage_paused", stage=self._stage, reason=self.reason, lost="nothing")
        await pause(self._policy.base_s / 2 + self._policy.delay(self._failures), self._end)
        if self._end.is_set():
            raise error

    async def rest(self, seconds: float) -> None:
        """Waits before another try that has nothing to do with an outage.

        Raises:
            StoppingError: the waiting was ended.
        """
        await pause(seconds, self._end)
        if self._end.is_set():
            raise StoppingError(f"{self._stage} was asked to stop before another try")

    def recovered(self) -> None:
        """Called after a task's success: the prober's reopens the gate for all."""
        if self._prober is None or self._prober is not asyncio.current_task():
            return
        _log.info("stage_resumed", stage=self._stage, after_failures=self._failures)
        self._failures = 0
        self.left()

    def left(self) -> None:
        """Called when a task ends, however it ends: a gate must not stay shut without prober."""
        if self._prober is not None and self._prober is asyncio.current_task():
            self._prober = None
            self.reason = None
            self._passable.set()
