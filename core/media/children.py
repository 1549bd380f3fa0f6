"""A pool of child processes for work that may crash, hang or eat memory.

Native decoders meet untrusted bytes here and nowhere else. What a job does to its child it does to
itself alone: its neighbours run in other children, and the dead child is replaced.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar, cast

from core.errors import DecoderDiedError, OutageError
from core.media.process import ChildLostError, ChildProcess

T = TypeVar("T")

_MOST_WORKERS = 8
_JOBS_PER_CHILD = 2000  # libraries leak a little; nobody waits for a start every 2000 jobs


def default_workers() -> int:
    """As many children as this process may use processors, at most 8."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(_MOST_WORKERS, usable)


class DecoderPool:
    """Runs jobs in child processes, started when first needed and kept warm.

    A job is anything picklable that takes no argument and is importable in the child: a frozen
    dataclass with ``__call__``, a :func:`functools.partial`. It may run twice, so it overwrites
    rather than appends.

    Args:
        workers: how many jobs run at once.
        time_limit_s: seconds a job may take, unless it brings its own limit.
        memory_limit_bytes: what one child may allocate.
    """

    def __init__(self, workers: int, time_limit_s: float, memory_limit_bytes: int) -> None:
        if workers < 1 or time_limit_s <= 0 or memory_limit_bytes <= 0:
            raise ValueError("workers, time_limit_s and memory_limit_bytes must be positive")
        self.workers = workers
        self._time_limit_s = time_limit_s
        self._memory_limit_bytes = memory_limit_bytes
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[ChildProcess] = []
        self._children: set[ChildProcess] = set()
        self._leaving: set[asyncio.Task[None]] = set()  # killed, not yet gone
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, job: Callable[[], T], *, time_limit_s: float | None = None) -> T:
        """The job's result; errors of our tree and OSError come back as themselves.

        Raises:
            DecoderDiedError: this job crashed its child, ran out of time or of memory.
            OutageError: no child could be started, or the pool is closing.
        """
        limit = time_limit_s or self._time_limit_s
        request = pickle.dumps((job, limit))
        async with self._slots:
            self._refuse_when_closed()
            if (used := self._take_idle()) is not None:
                try:
                    return cast("T", await self._perform(used, request, limit))
                except ChildLostError:
                    # An earlier job may have left this child damaged, so its death proves
                    # nothing about this one. A fresh child decides.
                    self._refuse_when_closed()
            try:
                return cast("T", await self._perform(await self._start(), request, limit))
            except ChildLostError as lost:
                self._refuse_when_closed()
                raise DecoderDiedError(str(lost)) from None

    async def close(self) -> None:
        """Kill every child and wait until none is left; running jobs end with OutageError."""
        self._closed = True
        for child in tuple(self._children):
            self._retire(child)
        # Holding every slot means that no job runs any more and no child is just being started.
        for _ in range(self.workers):
            await self._slots.acquire()
        for _ in range(self.workers):
            self._slots.release()
        while self._leaving:
            await asyncio.gather(*self._leaving)

    async def _perform(self, child: ChildProcess, request: bytes, time_limit_s: float) -> object:
        try:
            async with asyncio.timeout(time_limit_s):
                outcome, value = await child.ask(request)
        except TimeoutError:
            self._retire(child)
            raise DecoderDiedError(f"decoding took longer than {time_limit_s:g} s") from None
        except BaseException:
            # Also when the caller was cancelled: whatever the child is doing, nobody wants it.
            self._retire(child)
            raise
        if outcome == "exhausted":
            self._retire(child)
            raise ChildLostError(f"the decoder was stopped: {value}")
        self._release(child)
        if outcome == "raised":
            raise cast("BaseException", value)
        return value

    async def _start(self) -> ChildProcess:
        child = await ChildProcess.start(self._memory_limit_bytes)
        self._children.add(child)
        if self._closed:
            self._retire(child)
            self._refuse_when_closed()
        return child

    def _take_idle(self) -> ChildProcess | None:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            self._retire(child)
        return None

    def _release(self, child: ChildProcess) -> None:
        if self._closed or child.jobs >= _JOBS_PER_CHILD:
            self._retire(child)
        else:
            self._idle.append(child)

    def _retire(self, child: ChildProcess) -> None:
        if child not in self._children:
            return
        self._children.discard(child)
        child.kill()
        task = asyncio.create_task(child.wait())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise OutageError("the decoder pool is closed") from None
