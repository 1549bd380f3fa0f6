from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from tests.producers.buckets import Bucket, open_bucket
from tests.producers.engine import Engine, open_engine
from tests.servers.minio import minio_address
from tests.servers.seaweedfs import seaweedfs_address


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await open_engine(tmp_path / "data")
    yield engine
    await engine.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    """An empty one on MinIO."""
    async with open_bucket(minio_address()) as bucket:
        yield bucket


@pytest.fixture
async def plain_bucket() -> AsyncIterator[Bucket]:
    """An empty one on a server without notifications."""
    async with open_bucket(seaweedfs_address()) as bucket:
        yield bucket


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged from info on, by loggers that are bound during the test."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as lines:
        yield lines
    structlog.configure(**before)
