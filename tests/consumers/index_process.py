"""A process that indexes its part of a shop whenever it is told to.

Run as ``python -m tests.consumers.index_process URL NUMBER``: says ``ready``, then for each seed on
its standard input indexes what process NUMBER has to, and says ``done``.
"""

from __future__ import annotations

import asyncio
import sys

import structlog

from consumers.index import IndexStage
from core.vectors.server.store import QdrantVectorStore
from tests.consumers.catalogs import CONTEXT
from tests.consumers.shops import THRESHOLD, shop


async def _index(url: str, number: int) -> None:
    vectors = await QdrantVectorStore.open(url)
    print("ready", flush=True)
    while seed := await asyncio.to_thread(sys.stdin.readline):
        stage = IndexStage(vectors, f"catalog{int(seed)}", 2, THRESHOLD)
        *first, again = shop(int(seed))[number]
        await asyncio.gather(*(stage.handle(event, CONTEXT) for event in first))
        await stage.handle(again, CONTEXT)
        print("done", flush=True)
    await vectors.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_index(sys.argv[1], int(sys.argv[2])))
