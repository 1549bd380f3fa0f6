"""The tasks of a stage beside its events: each has an owner, which hears how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from core.errors import StageStopError

_log = structlog.get_logger()


class Background:
    """Tasks that end with their stage; what ends one of them otherwise stops the stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def check(self) -> None:
        """Raises StageStopError if a task failed."""
        if self._failure is not None:
            what = f"{type(self._failure).__name__}: {self._failure}"
            raise StageStopError(f"{self._stage}: {what}") from self._failure

    async def close(self) -> None:
        """Cancels what still runs, and waits for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        name = task.get_name()
        _log.error("task_failed", stage=self._stage, task=name, exc_info=error, lost="nothing")
        self._failure = self._failure or error
