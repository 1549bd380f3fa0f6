"""Many media through five stages: each comes through, and memory stays flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.engine_overhead import overhead


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "media", [2_000, pytest.param(100_000, marks=pytest.mark.long)], ids=["short", "long"]
)
async def test_every_medium_comes_through_in_flat_memory(media: int, tmp_path: Path) -> None:
    memory = await overhead(tmp_path, media)

    assert max(memory) - memory[0] < 32
