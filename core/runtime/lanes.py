"""What may run now, and what may be committed: the two pure data structures of the runner.

Neither knows of asyncio or of the log, so their rules are tested by themselves, in every order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Queues whose items run in order inside a lane and concurrently between lanes.

    Lanes take turns: one that has waited longest starts first, so a busy medium cannot starve
    the others.
    """

    def __init__(self, concurrency: int) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self._concurrency = concurrency
        self._waiting: dict[str, deque[T]] = {}
        self._ready: deque[str] = deque()
        self._running: set[str] = set()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, lane: str, item: T) -> None:
        """Puts an item at the end of its lane."""
        queue = self._waiting.get(lane)
        if queue is not None:
            queue.append(item)
            return
        self._waiting[lane] = deque((item,))
        if lane not in self._running:
            self._ready.append(lane)

    def take(self) -> tuple[str, T] | None:
        """An item that may start now, if there is one; it needs a :meth:`finish` of its lane."""
        if not self._ready or len(self._running) >= self._concurrency:
            return None
        lane = self._ready.popleft()
        queue = self._waiting[lane]
        item = queue.popleft()
        if not queue:
            del self._waiting[lane]
        self._running.add(lane)
        return lane, item

    def finish(self, lane: str) -> None:
        """The lane's running item has ended, however it ended."""
        self._running.remove(lane)
        if lane in self._waiting:
            self._ready.append(lane)

    def drop(self, unwanted: Callable[[T], bool]) -> int:
        """Forgets waiting items, e.g. of a partition that was taken away; returns how many."""
        dropped = 0
        for lane in list(self._waiting):
            queue = self._waiting[lane]
            kept = deque(item for item in queue if not unwanted(item))
            dropped += len(queue) - len(kept)
            if kept:
                self._waiting[lane] = kept
            else:
                del self._waiting[lane]
        self._ready = deque(lane for lane in self._ready if lane in self._waiting)
        return dropped


class CommitTracker:
    """The contiguous prefix of finished offsets of one partition.

    Offsets may have gaps (compaction), so "contiguous" means contiguous among those delivered.
    Committing offset ``n`` says that everything before ``n`` is done.
    """

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._done: set[int] = set()
        self._prefix: int | None = None
        self._committed: int | None = None

    @property
    def in_flight(self) -> int:
        """Delivered offsets behind the prefix, finished ones included."""
        return len(self._open)

    @property
    def newest(self) -> int | None:
        return self._open[-1] if self._open else None

    def deliver(self, offset: int) -> bool:
        """Notes an offset as read; False for one that is behind what was read before."""
        last = self._open[-1] if self._open else (self._prefix or 0) - 1
        if offset <= last:
            return False
        self._open.append(offset)
        return True

    def finish(self, offset: int) -> None:
        """Notes an offset as done: handled, skipped or dead-lettered."""
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            first = self._open.popleft()
            self._done.remove(first)
            self._prefix = first + 1

    def committable(self) -> int | None:
        """The offset to commit, None when nothing has moved since the last one committed."""
        return self._prefix if self._prefix != self._committed else None

    def committed(self, offset: int) -> None:
        self._committed = offset
