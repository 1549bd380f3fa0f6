"""A pool of child processes for work that may crash, hang or eat memory.

Native decoders meet untrusted bytes here and nowhere else. What a job does to its child it does to
itself alone: its neighbours run in other children, and the dead child is replaced.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

from core.children.faults import ExhaustedError
from core.children.frames import Bounds
from core.children.launch import Program
from core.children.parent import Child, ChildLostError
from core.errors import (
    DecoderDiedError,
    DoesNotFitError,
    LimitExceededError,
    OutageError,
    TaggingError,
    UndecodableError,
)
from core.media.limits import TimeLimit
from core.media.requests import Job
from core.media.watch import Watch

T = TypeVar("T")

_MOST_WORKERS = 8
_JOBS_PER_CHILD = 2000  # libraries leak a little; nobody waits for a start every 2000 jobs
_BOUNDS = Bounds(4 << 20, 0)  # 5000 frames are listed in half a megabyte; pixels go to files
_ENVIRONMENT = {
    # Jobs run side by side, so each has one thread where libraries would start one a processor.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    # Memory given back is memory to be zeroed again, which costs half as much as decoding. So 64
    # MiB of pixels and 32 MiB of the rest are kept for the next job.
    "PILLOW_BLOCKS_MAX": "4",
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "MALLOC_TOP_PAD_": str(4 << 20),
    "OPENCV_LOG_LEVEL": "SILENT",
}
_ANSWERS = (
    *(UndecodableError, LimitExceededError, DoesNotFitError, DecoderDiedError, OutageError),
    OSError,
)
"""What a decoder may say of a medium. An error that stops a stage is not for it to raise."""


def default_workers() -> int:
    """As many children as this process may use processors, at most 8."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(_MOST_WORKERS, usable)


class DecoderPool:
    """Runs jobs in child processes, started when first needed and kept warm.

    Args:
        workers: how many jobs run at once, short or long ones. While there are both there may be
            one more, so that neither kind ever waits for the last of the other.
        time_limit_s: seconds a job may take, unless it brings its own limit.
        memory_limit_bytes: what one child may allocate.
        start_limit_s: seconds in which a child must be ready.
        jobs: the module whose ``JOBS`` the children do.
    """

    def __init__(
        self,
        workers: int,
        time_limit_s: float,
        memory_limit_bytes: int,
        *,
        start_limit_s: float = 60.0,
        jobs: str = "core.media.jobs",
    ) -> None:
        if workers < 1 or time_limit_s <= 0 or memory_limit_bytes <= 0:
            raise ValueError("workers, time_limit_s and memory_limit_bytes must be positive")
        self.workers = workers
        self._time_limit_s = time_limit_s
        self._program = Program(
            name="the decoder",
            service="core.media.child",
            options={"jobs": jobs, "memory_limit_bytes": memory_limit_bytes},
            bounds=_BOUNDS,
            environment=_ENVIRONMENT,
            start_limit_s=start_limit_s,
        )
        self._short, self._long = asyncio.Semaphore(workers), asyncio.Semaphore(workers)
        self._both = asyncio.Semaphore(workers + 1)
        self._idle: list[Child] = []
        self._children: dict[Child, int] = {}  # with how many jobs each has had
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

    async def run(self, job: Job[T], *, limit: TimeLimit | None = None, long: bool = False) -> T:
        """The job's result; what it said of the medium, and OSError, come back as themselves.

        A death proves nothing: an earlier job may have damaged the child, a neighbour eaten the
        machine's memory, somebody stopped the process. So a fresh child decides.

        Args:
            limit: else the pool's.
            long: it may take very long, and must not keep those waiting that do not.

        Raises:
            TimeLimitError: it worked until its time was over, and would again.
            DecoderDiedError: it cost two children their lives.
            OutageError: no child could be started, or the pool is closing.
        """
        limit = limit or TimeLimit(self._time_limit_s)
        async with self._turn(long):
            self._refuse_when_closed()
            try:
                return await self._perform(self._take_idle() or await self._start(), job, limit)
            except ChildLostError:
                self._refuse_when_closed()
            try:
                return await self._perform(await self._start(), job, limit)
            except ChildLostError as lost:
                self._refuse_when_closed()
                raise DecoderDiedError(f"{lost} (at the second try, too)") from None

    async def close(self) -> None:
        """Kill every child and wait until none is left; running jobs end with OutageError."""
        self._closed = True
        for child in tuple(self._children):
            self._retire(child)
        # Holding every slot of a kind means that no such job runs any more, and none is just
        # starting a child.
        for slots in (self._short, self._long):
            for _ in range(self.workers):
                await slots.acquire()
            for _ in range(self.workers):
                slots.release()
        while self._leaving:
            await asyncio.gather(*self._leaving)

    @asynccontextmanager
    async def _turn(self, long: bool) -> AsyncIterator[None]:
        async with self._long if long else self._short, self._both:
            yield

    async def _perform(self, child: Child, job: Job[T], limit: TimeLimit) -> T:
        self._children[child] += 1
        asked = {"arguments": job.arguments, "time_limit_s": limit.total_s}
        try:
            async with asyncio.timeout(None) as clock:
                watch = Watch(child, limit, clock)
                result = await child.ask(
                    job.name,
                    asked,
                    read=lambda answer: job.read(answer.value),
                    on_progress=watch.progressed,
                )
        except _ANSWERS as answer:
            if not clock.expired():  # else the TimeoutError is ours, and no answer
                self._release(child)
                raise
            verdict = watch.verdict()
            self._retire(child)
            if isinstance(answer, TimeoutError):
                raise verdict from None
            raise
        except ExhaustedError as error:
            self._retire(child)
            raise ChildLostError(f"the decoder was stopped: {error}") from None
        except (TaggingError, ValueError, RuntimeError) as error:
            self._retire(child)
            raise ChildLostError(f"the decoder answered nonsense: {error!r}") from error
        except BaseException:
            # Also when the caller was cancelled: whatever the child is doing, nobody wants it.
            self._retire(child)
            raise
        self._release(child)
        return result

    async def _start(self) -> Child:
        child = await Child.start(self._program)
        self._children[child] = 0
        if self._closed:
            self._retire(child)
            self._refuse_when_closed()
        return child

    def _take_idle(self) -> Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            self._retire(child)
        return None

    def _release(self, child: Child) -> None:
        if self._closed or self._children[child] >= _JOBS_PER_CHILD:
            self._retire(child)
        else:
            self._idle.append(child)

    def _retire(self, child: Child) -> None:
        if child not in self._children:
            return
        del self._children[child]
        child.kill()
        task = asyncio.create_task(child.wait())
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        # What went wrong with a child that nobody listens to any more is told when the pool closes.
        if task.cancelled() or task.exception() is None:
            self._leaving.discard(task)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise OutageError("the decoder pool is closed") from None
