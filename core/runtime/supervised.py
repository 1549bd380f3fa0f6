"""Tasks with a parent: whoever starts one learns of its end, and ends it.

A task that nobody awaits fails in silence, and its owner goes on without it. Here a task runs
beside a block of code and never longer than that; its error is the block's error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Children:
    """What runs beside one :func:`supervised` block.

    Attributes:
        failure: what went wrong first, in a child or in the block; None while nothing has.
    """

    def __init__(
        self, group: asyncio.TaskGroup, on_failure: Callable[[BaseException], object] | None
    ) -> None:
        self.failure: BaseException | None = None
        self._group = group
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs ``work`` until it ends, or the block does. The task is given for waiting only: it
        may end with an error that the block raises."""
        task = self._group.create_task(self._watched(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # it may have been cancelled unbegun
        return task

    async def _watched(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await _uncancelled(work)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            error.add_note(f"in the task {name!r}")
            self.failed(error)
            if self._on_failure is None:
                raise  # the group cancels the block and the other children
            self._on_failure(error)

    def failed(self, error: BaseException) -> None:
        self.failure = self.failure or error

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()


@asynccontextmanager
async def supervised(
    on_failure: Callable[[BaseException], object] | None = None,
) -> AsyncIterator[Children]:
    """Lets tasks run beside the block. When the block ends they are cancelled, and it is not left
    before every one of them has ended.

    A child's error ends the block as an error of its own would: the block is cancelled where it
    waits, and the error is raised in its place, by itself and not as a group. A child that returns
    ends nothing.

    Args:
        on_failure: called with a child's error instead of cancelling anything, for a block that
            has to end in an order of its own. The block must end then; the first error is raised
            when it has.

    Raises:
        BaseException: what went wrong first, in a child or in the block.
    """
    children: Children | None = None
    try:
        async with asyncio.TaskGroup() as group:
            children = Children(group, on_failure)
            try:
                yield children
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                children.failed(error)
                raise
            finally:
                children.cancel()
    except BaseExceptionGroup:
        # Not raised in here, where the group would become its context.
        assert children is not None
        assert children.failure is not None
    if children is not None and children.failure is not None:
        raise children.failure


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """A cancellation that nobody asked this task for is an error like others: what it waited for
    was cancelled."""
    try:
        await work
    except asyncio.CancelledError as cancelled:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("something that it waited for was cancelled") from cancelled
