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
    """The contiguous prefix of finished offsets of one partition, and how far beyond it one may go.

    Offsets may have gaps (compaction, markers of transactions), so "contiguous" means contiguous
    among those delivered. Committing offset ``n`` means that everything before ``n`` is done.

    Args:
        start: what is committed; reading begins there, or behind a gap.
        spread: offsets from what is committed on of which events may be under way. A crash repeats
            no more than these.
    """

    def __init__(self, start: int = 0, spread: int = 1 << 62) -> None:
        self._open: deque[int] = deque()
        self._done: set[int] = set()
        self._read = start
        self._committed = start
        self._spread = spread

    @property
    def prefix(self) -> int:
        """Everything before it is done, or was never there."""
        return self._open[0] if self._open else self._read

    @property
    def room(self) -> int:
        """Offsets that may still be read and begun at once, as things stand."""
        return self._committed + self._spread - self._read

    @property
    def room_to_gain(self) -> int:
        """What :attr:`room` would be after a commit."""
        return self.prefix + self._spread - self._read

    def deliver(self, offset: int) -> bool:
        """Notes an offset as read; False for one that is behind what was read before."""
        if offset < self._read:
            return False
        self._open.append(offset)
        self._read = offset + 1
        return True

    def fits(self, offset: int) -> bool:
        """Whether its event may begin."""
        return offset < self._committed + self._spread

    def finish(self, offset: int) -> None:
        """Notes an offset as done: handled, skipped or dead-lettered."""
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            self._done.remove(self._open.popleft())

    def committable(self) -> int | None:
        """The offset to commit, None when nothing has moved since the last one committed."""
        return self.prefix if self.prefix > self._committed else None

    def committed(self, offset: int) -> None:
        self._committed = max(self._committed, offset)
