from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.producers.engine import Engine, open_engine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await open_engine(tmp_path / "data")
    yield engine
    await engine.close()
