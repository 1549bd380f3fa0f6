"""What the results stage does beside its events: heard when it fails, and over when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob, BlobStore
from core.envelope import encode
from core.errors import OutageError, SettingsError
from core.results.parts import PartStore
from core.runtime.retry import RetryPolicy
from core.vectors.edge.store import EdgeVectorStore
from tests.consumers.media import dead, upload
from tests.core.runtime.stages import create_topics, running, until
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore


class AwayBlobs(FolderBlobStore):
    """Takes nothing."""

    asked = 0

    async def put(self, blobs: Sequence[Blob]) -> None:
        self.asked += 1
        raise OutageError("the blob store is away")


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    return log


@pytest.fixture
async def vectors(tmp_path: Path) -> AsyncIterator[EdgeVectorStore]:
    vectors = await EdgeVectorStore.open(tmp_path / "vectors")
    yield vectors
    await vectors.close()


def results(
    state: MemoryStateStore,
    blobs: BlobStore,
    vectors: EdgeVectorStore,
    lagging: Callable[[], Awaitable[bool]],
    policy: RetryPolicy,
) -> ResultsStage:
    parts = PartStore(state)
    writer = ResultWriter(parts, blobs, vectors)
    options = ResultsOptions(every_s=0.0, partial_after_s=0.02)
    return ResultsStage(parts, writer, Thresholds(0.9, 0.85), lagging, options, policy)


async def test_an_error_of_the_clock_stops_the_stage(
    tmp_path: Path, log: MemoryEventLog, vectors: EdgeVectorStore
) -> None:
    async def lagging() -> bool:
        raise SettingsError("there is no topic 'frames.extracted'")

    state, blobs = MemoryStateStore(), await FolderBlobStore.open(tmp_path / "results")
    stage = results(state, blobs, vectors, lagging, RetryPolicy())

    with pytest.raises(SettingsError, match="there is no topic"):
        async with running(stage, log, state, tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    await blobs.close()


async def test_a_stop_ends_the_wait_of_a_result_for_its_store(
    tmp_path: Path, log: MemoryEventLog, vectors: EdgeVectorStore
) -> None:
    async def lagging() -> bool:
        return True

    state, blobs = MemoryStateStore(), await AwayBlobs.open(tmp_path / "results")
    assert isinstance(blobs, AwayBlobs)
    patient = RetryPolicy(base_s=7200.0, cap_s=7200.0)
    stage = results(state, blobs, vectors, lagging, patient)

    async with asyncio.timeout(30):
        async with running(stage, log, state, tmp_path):
            await log.publish([encode(upload()), encode(dead("frames"))])
            await until(lambda: blobs.asked)

    assert await PartStore(state).unannounced() == 1
    await blobs.close()
