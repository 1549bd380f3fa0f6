"""The engine's process, seen from the store: started when needed, and again should it end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from core.children.frames import Answer, Buffer
from core.children.launch import Program
from core.children.parent import Child, ChildLostError
from core.errors import OutageError
from core.files.durable import make_folder
from core.files.lock import FileLock
from core.files.space import shortage, trouble
from core.vectors.edge.wire import BOUNDS

T = TypeVar("T")


class EngineProcess:
    """Holds the folder, and runs the one process that works in it.

    Requests of concurrent callers reach the engine together; changes among them share a sync.
    A request that was under way when the process ended, or was ended because it stood still,
    raises OutageError: it may have happened.
    """

    def __init__(self, folder: Path, lock: FileLock, silence_limit_s: float) -> None:
        self._folder = folder
        self._program = Program(
            name=f"the vector engine of {folder}",
            service="core.vectors.edge.child",
            options={"folder": str(folder)},
            bounds=BOUNDS,
            silence_limit_s=silence_limit_s,
        )
        self._lock: FileLock | None = lock
        self._running: Child | None = None
        self._starting = asyncio.Lock()

    @classmethod
    async def start(cls, folder: Path, silence_limit_s: float = 60.0) -> EngineProcess:
        """Raises BusyError while another process holds the folder.

        Args:
            silence_limit_s: an engine that neither answers nor works for so long is replaced; one
                that builds an index works.
        """
        try:
            folder = await asyncio.to_thread(_made, folder)
        except OSError as error:
            raise OutageError(f"the vector folder {folder} {trouble(folder, error)}") from error
        lock = FileLock(folder / "lock")
        advice = "stop it, or talk to the engine that it runs"
        await lock.take_over(f"the vector folder {folder}", advice=advice)
        process = cls(folder, lock, silence_limit_s)
        try:
            await process._run()
        except BaseException:
            await process.close()
            raise
        return process

    async def ask(
        self,
        call: str,
        arguments: dict[str, Any],
        buffers: Iterable[Buffer] = (),
        *,
        read: Callable[[Answer], T],
    ) -> T:
        """What ``read`` makes of the answer; raises what the Engine's method of that name does."""
        try:
            return await (await self._run()).ask(call, arguments, buffers, read=read)
        except ChildLostError as lost:
            lacks = shortage(self._folder)
            raise OutageError(f"{lost}; the next call restarts it{lacks}") from lost

    async def close(self) -> None:
        """Lets the engine flush; one that stays busy is killed, which loses nothing. Closing a
        second time does nothing."""
        async with self._starting:
            lock, self._lock = self._lock, None
            running, self._running = self._running, None
            try:
                if running is not None:
                    await running.close()
            finally:
                if lock is not None:
                    lock.release()

    async def _run(self) -> Child:
        async with self._starting:
            if self._lock is None:
                raise RuntimeError(f"the vector store {self._folder} was closed")
            running = self._running
            if running is not None and running.alive:
                return running
            if running is not None:
                self._running = None
                await running.wait()  # two processes must not work in one folder
            # The child holds the lock too: the folder is free once nobody works in it.
            self._running = await Child.start(self._program, (self._lock.share(),))
            return self._running


def _made(folder: Path) -> Path:
    folder = folder.absolute()
    make_folder(folder)
    return folder
