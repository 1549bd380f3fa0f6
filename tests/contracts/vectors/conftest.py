"""Each contract test of vectors runs once per adapter that ``vector_factories`` lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core.vectors.port import VectorStore
from tests.contracts.vector_factories import VECTORS, OpenVectors, VectorAdapter
from tests.contracts.vectors.samples import SPEC


@pytest.fixture(params=VECTORS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> VectorAdapter:
    found: VectorAdapter = request.param
    return found


@pytest.fixture
async def open_vectors(adapter: VectorAdapter, tmp_path: Path) -> AsyncIterator[OpenVectors]:
    """Opens the test's store; again for a restart. Closed by the test's end."""
    connect = adapter.at(tmp_path)
    async with AsyncExitStack() as stack:

        async def open_one() -> VectorStore:
            vectors = await connect()
            stack.push_async_callback(vectors.close)
            return vectors

        yield open_one


@pytest.fixture
async def vectors(open_vectors: OpenVectors) -> VectorStore:
    """With the empty collection ``items``."""
    store = await open_vectors()
    await store.create(SPEC)
    return store
