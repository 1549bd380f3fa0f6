"""A part of the engine as a process that may open few files, and whose work opens one at each step.

Started as ``python standin_worker.py PORT FILES PROGRESS``; writes its number of steps to PROGRESS.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.settings import Settings
from infra.running.worker import Worker, run_worker


class Stepping:
    """Takes a step whenever the event loop lets it and a file can be opened."""

    def __init__(self, progress: int) -> None:
        self._progress = progress

    async def run(self, stop: asyncio.Event) -> None:
        steps = 0
        while not stop.is_set():
            await asyncio.sleep(0.001)
            try:
                os.close(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                continue  # as a stage that waits for a store which it cannot open
            steps += 1
            os.pwrite(self._progress, f"{steps:12}".encode(), 0)

    def trouble(self) -> str | None:
        return None


def main(port: int, files: int, progress: Path) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    opened = os.open(progress, os.O_RDWR | os.O_CREAT, 0o600)

    @asynccontextmanager
    async def opening() -> AsyncIterator[Worker]:
        yield Stepping(opened)

    asyncio.run(run_worker(Settings(http_port=port), opening, asyncio.Event()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
