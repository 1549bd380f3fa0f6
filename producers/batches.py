"""What waits to be taken in, and the batches of it that are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Generic, Protocol, TypeVar

from core.errors import OutageError
from producers.hold import Hold

_Item = TypeVar("_Item")


class BatchOptions(Protocol):
    """The part of a producer's options that batches go by."""

    @property
    def batch_files(self) -> int: ...
    @property
    def batch_bytes(self) -> int: ...
    @property
    def parallel(self) -> int: ...
    @property
    def grace_s(self) -> float: ...


class Batches(Generic[_Item]):
    """Some batches at a time; a name is in one of them at most, so what it was is never announced
    after what it became.

    Args:
        take_in: works on one batch; gives back what an outage keeps it from.
        size_of: an item's bytes.
        hold: keeps batches from being started while a dependency is away.
        on_progress: called when a batch ends.
    """

    def __init__(
        self,
        take_in: Callable[[dict[str, _Item]], Coroutine[None, None, None]],
        *,
        size_of: Callable[[_Item], int],
        options: BatchOptions,
        hold: Hold,
        clock: Callable[[], float],
        on_progress: Callable[[], None],
    ) -> None:
        self._take_in = take_in
        self._size_of = size_of
        self._options = options
        self._hold = hold
        self._clock = clock
        self._on_progress = on_progress
        self._waiting: dict[str, _Item] = {}
        self._under_way: dict[asyncio.Task[None], dict[str, _Item]] = {}

    @property
    def waiting(self) -> int:
        """How many are in no batch yet."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._under_way)

    def __len__(self) -> int:
        return self.waiting + sum(map(len, self._under_way.values()))

    def add(self, name: str, item: _Item) -> None:
        """Queues an item, in the place of what waits under its name."""
        self._waiting[name] = item

    def under_way(self, name: str) -> _Item | None:
        """What of this name is being taken in."""
        found = (batch[name] for batch in self._under_way.values() if name in batch)
        return next(found, None)

    def give_back(self, batch: Mapping[str, _Item], error: OutageError) -> None:
        """Queues a batch again, to be taken in when the outage is over."""
        # One that was replaced meanwhile stands there already, as it is now.
        self._waiting = dict(batch) | self._waiting
        self._hold.failed(error, self._clock())

    def work(self, group: asyncio.TaskGroup) -> None:
        """Starts what may be started now, as tasks of the ``group``, which ends with what a batch
        meets and no waiting mends."""
        if self._clock() < (self._hold.waits_until() or 0.0):
            return
        # While a dependency is away, one batch tries for all.
        parallel = 1 if self._hold.reason else self._options.parallel
        while len(self._under_way) < parallel and (batch := self._next_batch()):
            task = group.create_task(self._take_in(batch))
            self._under_way[task] = batch
            task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Waits for the batches under way, then cuts them off: a restart takes them up again."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=self._options.grace_s)
            for task in late:
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._on_progress()

    def _next_batch(self) -> dict[str, _Item]:
        taken = {name for batch in self._under_way.values() for name in batch}
        batch: dict[str, _Item] = {}
        size = 0
        for name, item in self._waiting.items():
            if name in taken:
                continue
            size += self._size_of(item)
            # A long video keeps no pictures waiting: it goes alone.
            if batch and size > self._options.batch_bytes:
                break
            batch[name] = item
            if len(batch) == self._options.batch_files:
                break
        for name in batch:
            del self._waiting[name]
        return batch
