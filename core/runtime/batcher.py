"""Collects work for one device thread into batches, by size or by deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from core import telemetry
from core.errors import StageStopError

L = TypeVar("L")
R = TypeVar("R")


class Batcher(Generic[L, R]):
    """Runs ``infer`` over what callers hand in, many at a time, on a thread of its own.

    While one batch runs the next one fills, so the deadline matters only to an idle device. A
    batch that fails is halved and tried again down to single inputs: a poisonous input fails
    alone, and a batch that does not fit into memory is run in parts.

    Somebody has to run :meth:`work` for as long as there are callers.
    """

    def __init__(
        self, name: str, infer: Callable[[Sequence[L]], list[R]], size: int, wait_s: float
    ) -> None:
        if size < 1:
            raise ValueError("batch size must be at least 1")
        self._name = name
        self._infer = infer
        self._size = size
        self._wait_s = wait_s
        self._fill = telemetry.BATCH_FILL.labels(name)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"device-{name}")
        self._queue: asyncio.Queue[tuple[L, asyncio.Future[R]]] = asyncio.Queue()
        self._asked: set[asyncio.Future[R]] = set()
        self._ended = False

    async def prepare(self, job: Callable[[], None]) -> None:
        """Runs a job on the device thread; raises what it raises."""
        await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def run(self, loaded: L) -> R:
        """The result of one input; raises what ``infer`` raised for it alone, and StageStopError
        once :meth:`work` has ended."""
        if self._ended:
            raise self._no_answer()
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._asked.add(future)
        try:
            self._queue.put_nowait((loaded, future))
            return await future
        finally:
            self._asked.discard(future)
            del future  # see core.runtime.collecting

    async def work(self) -> None:
        """Forms batches and runs them until it is cancelled. Nobody waits in vain: however it ends,
        callers that wait then, or come later, learn that there will be no answer."""
        try:
            while True:
                await self._answer(await self._collect())
        finally:
            self._ended = True
            for future in self._asked:
                if not future.done():
                    future.set_exception(self._no_answer())

    async def close(self) -> None:
        """Waits for what runs on the device thread, and ends the thread."""
        # Not on the event loop, which other stages, and heartbeats, need meanwhile.
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _answer(self, batch: list[tuple[L, asyncio.Future[R]]]) -> None:
        # A caller that was cancelled meanwhile left its future behind.
        batch = [(loaded, future) for loaded, future in batch if not future.done()]
        if not batch:
            return
        inputs = [loaded for loaded, _ in batch]
        self._fill.observe(len(inputs) / self._size)
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._thread, self._halving, inputs)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, _Failure):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome)
        outcomes.clear()  # the thread's frames know the list: see core.runtime.collecting

    async def _collect(self) -> list[tuple[L, asyncio.Future[R]]]:
        batch = [await self._queue.get()]
        deadline = asyncio.get_running_loop().time() + self._wait_s
        while len(batch) < self._size:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return batch

    def _halving(self, inputs: Sequence[L]) -> list[R | _Failure]:
        try:
            results = self._infer(inputs)
            if len(results) != len(inputs):
                raise RuntimeError(f"infer gave {len(results)} results for {len(inputs)} inputs")
        except BaseException as error:
            if len(inputs) == 1:
                return [_Failure(error)]
            half = len(inputs) // 2
            return self._halving(inputs[:half]) + self._halving(inputs[half:])
        return list(results)

    def _no_answer(self) -> StageStopError:
        return StageStopError(f"{self._name}: its device thread is not fed any more")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error: Exception
        # A panic of a Rust library is no Exception, and would pass by whoever looks for those. A
        # future refuses StopIteration.
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            self.error = error
        else:
            self.error = RuntimeError(f"{type(error).__name__}: {error}")
            self.error.__cause__ = error
