"""Commits what is finished: gathered for a moment, at once where something waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog

from core.errors import OwnershipLostError
from core.log.port import Subscription, TopicPartition
from core.runtime.crashguard import CrashGuard, Patience
from core.runtime.lanes import CommitTracker
from core.runtime.waiting import pause
from core.runtime.window import Window

_log = structlog.get_logger()


class Committer:
    """Keeps the log's offsets close behind the window's finished prefixes.

    Args:
        stage: whose name log lines carry.
        subscription: the member that commits, None before it has joined.
        every_s: commits are gathered this long.
        patiently: waits out an outage of the log.
        committed: called after each commit, which lets go on what waited for it.
    """

    def __init__(
        self,
        stage: str,
        subscription: Callable[[], Subscription | None],
        window: Window,
        guard: CrashGuard,
        every_s: float,
        patiently: Patience,
        committed: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._subscription = subscription
        self._window = window
        self._guard = guard
        self._every_s = every_s
        self._patiently = patiently
        self._when_committed = committed
        self._moved = asyncio.Event()
        self._pressed = asyncio.Event()

    def finished(self, tracker: CommitTracker, offset: int) -> None:
        """Notes that an event is done."""
        tracker.finish(offset)
        self._moved.set()
        self.press(tracker)

    def press(self, tracker: CommitTracker) -> None:
        """Commits at once if something of this partition stands still without it."""
        if self._window.pressed(tracker):
            self._moved.set()
            self._pressed.set()

    async def run(self) -> None:
        """Commits until it is cancelled; raises what no waiting mends."""
        while True:
            await self._moved.wait()
            await pause(self._every_s, self._pressed)
            self._moved.clear()
            self._pressed.clear()
            await self._patiently(self.commit)
            self._when_committed()

    async def commit(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Commits what is finished, of these partitions or of all. Those that turn out to be
        somebody else's are forgotten. Raises OutageError."""
        moved = self._window.committable(partitions)
        subscription = self._subscription()
        if not moved or subscription is None:
            return
        try:
            await subscription.commit({tp: offset for tp, (_, offset) in moved.items()})
        except OwnershipLostError as lost:
            # Whoever owns them now repeats what we did not get to commit. That may be ourselves,
            # by a new assignment that came meanwhile: its trackers are not touched.
            _log.warning("commit_refused", stage=self._stage, reason=str(lost))
            self._window.forget(
                [tp for tp, (tracker, _) in moved.items() if self._window.holds(tp, tracker)]
            )
        else:
            for tp, (tracker, offset) in moved.items():
                tracker.committed(offset)
                self._guard.cleared(tp, offset)
