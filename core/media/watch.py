"""The clock of one job, seen from the pool: when its time is over, and whose fault that is."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from core.children.frames import is_count
from core.children.parent import Child, ChildLostError
from core.errors import TimeLimitError
from core.media.limits import TimeLimit

_OWN_SHARE = 0.05
"""A child that used less than this part of a processor stood still. One that had to share it with
many did not: limits are many times what decoding takes."""

_MOST_PIXELS = 1 << 62
_TOLD_AT_ONCE, _TOLD_PER_S = 10, 4
"""Who tells more often wants to keep us busy."""


class _Mark(NamedTuple):
    at: float
    used: float | None


class Watch:
    """Sets a job's clock, first and with all progress that its child tells of.

    What the child tells is not taken on trust: it gains nothing beyond ``limit.total_s``.
    """

    def __init__(self, child: Child, limit: TimeLimit, clock: asyncio.Timeout) -> None:
        self._child = child
        self._limit = limit
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._began = self._last = self._mark()
        self._pixels = self._told = 0
        self._set()

    def progressed(self, pixels: Any) -> None:
        """The child has decoded so many pixels; raises ValueError for what is no progress."""
        if not is_count(pixels) or not self._pixels < pixels < _MOST_PIXELS:
            raise ValueError("not more pixels than before")
        self._pixels, self._last = pixels, self._mark()
        self._told += 1
        if self._told > _TOLD_AT_ONCE + _TOLD_PER_S * (self._last.at - self._began.at):
            raise ValueError("told too often")
        self._set()

    def verdict(self) -> TimeLimitError | ChildLostError:
        """Of a job whose time is over and whose child is still there: a lost child if it was kept
        from working (stopped, its disk stuck), so that another try may end well."""
        now, last_s = self._mark(), self._last.at - self._began.at
        words = self._limit.broken(self._pixels, last_s)
        since = self._last if self._limit.quiet(self._pixels, last_s) else self._began
        if now.used is not None and since.used is not None:
            share = (now.used - since.used) / max(now.at - since.at, 1e-9)
            if share < _OWN_SHARE:
                return ChildLostError(f"{words}, and used {share:.0%} of a processor meanwhile")
        return TimeLimitError(words)

    def _mark(self) -> _Mark:
        return _Mark(self._loop.time(), self._child.processor_s)

    def _set(self) -> None:
        limit = self._limit
        self._clock.reschedule(
            min(self._began.at + limit.after(self._pixels), self._last.at + limit.quiet_s)
        )
