"""Two processes that index into one Qdrant server at the same time."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from core.vectors.server.store import QdrantVectorStore
from tests.consumers.shops import flags, right_flags
from tests.servers.qdrant import empty_qdrant, qdrant_url

ROOT = Path(__file__).parents[2]
RUNS = 4


@asynccontextmanager
async def indexing(url: str, number: int) -> AsyncIterator[Process]:
    program = ("-m", "tests.consumers.index_process", url, str(number))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    try:
        await said(process, "ready")
        yield process
    finally:
        process.kill()
        await process.wait()


async def said(process: Process, word: str) -> None:
    assert process.stdout is not None
    assert (await process.stdout.readline()).decode().strip() == word


async def test_two_processes_leave_the_flags_that_one_would_have_left() -> None:
    url = qdrant_url("indexprocesses")
    empty_qdrant(url)
    vectors = await QdrantVectorStore.open(url)

    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(indexing(url, n)) for n in range(2)]
        for seed in range(RUNS):
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{seed}\n".encode())
            await asyncio.gather(*(said(process, "done") for process in processes))

    found = [await flags(vectors, f"catalog{seed}__g1") for seed in range(RUNS)]
    assert found == [await right_flags(vectors, f"catalog{seed}__g1") for seed in range(RUNS)]
    await vectors.close()
