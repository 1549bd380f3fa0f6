"""A process that upserts points without end, and says on its output which ones are safe.

Run as ``python -m tests.contracts.vector_writer ADDRESS``; the test that does so kills it. It also
makes and drops a collection again and again.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid

import numpy as np
import structlog

from core.events import Vectors
from core.vectors.port import CollectionSpec, Point
from tests.contracts.vector_factories import open_address

SPEC = CollectionSpec("written", "fashion-1", 8, ("writer",))
PASSING = CollectionSpec("passing", "fashion-1", 8, ("writer",))


def vector(point: str) -> Vectors:
    """Follows from the id, so that whoever finds the point knows whether it is whole."""
    drawn = np.random.default_rng(uuid.UUID(point).int).normal(size=SPEC.dim)
    unit: Vectors = (drawn / np.linalg.norm(drawn)).astype(np.float32)
    return unit


async def _write(address: str) -> None:
    vectors = await open_address(address)
    await vectors.create(SPEC)

    async def write(writer: int) -> None:
        for number in itertools.count():
            ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{writer} {number} {i}")) for i in range(5)]
            points = [Point(one, vector(one), {"writer": str(writer)}) for one in ids]
            await vectors.upsert(SPEC.name, SPEC.embedder, points)
            print("\n".join(ids), flush=True)

    async def come_and_go() -> None:
        while True:
            await vectors.create(PASSING)
            await vectors.drop(PASSING.name)

    await asyncio.gather(*(write(writer) for writer in range(3)), come_and_go())


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_write(sys.argv[1]))
