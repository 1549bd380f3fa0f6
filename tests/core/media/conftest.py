"""A warm pool for each test, and places for what it decodes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.options import DecodeOptions

MEMORY_BYTES = 1 << 30
HOSTILE = "tests.core.media.hostile_jobs"


@pytest.fixture(autouse=True)
def _children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    # Appended, so that an installed wheel is still what is tested.
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[3])])


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(2, 60, MEMORY_BYTES, jobs=HOSTILE) as pool:
        yield pool


@pytest.fixture
def decoder(pool: DecoderPool) -> Decoder:
    return Decoder(pool, DecodeOptions())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    return folder
