"""What is damaged of one medium's stored parts or results is mended, or said, and is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.blobs.port import Blob
from core.envelope import encode
from core.events import MediaTagged
from core.results.keys import latest_key
from core.state.unreadable import unreadable
from tests.consumers.media import MEDIA
from tests.consumers.test_results import CALM, PICTURE, Stores, run_to_end, stores, tagged
from tests.core.runtime.stages import caught_up, create_topics, running, until
from tests.memory_log import MemoryEventLog

__all__ = ["stores"]


async def test_a_revision_never_falls_behind_one_that_was_said(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    first = await run_to_end(stores, log, tmp_path, PICTURE)
    await stores.state.put([(latest_key(MEDIA), b"\xff")])

    again = await run_to_end(stores, log, tmp_path, PICTURE)

    assert again.revision == first.revision + 1
    assert again.model_copy(update={"revision": first.revision}) == first


@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}"])
async def test_a_damaged_result_is_stored_again_when_its_medium_comes_again(
    tmp_path: Path, stores: Stores, damage: bytes
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    first = await run_to_end(stores, log, tmp_path, PICTURE)
    await stores.blobs.put([Blob(first.result_key, damage, "application/json")])

    await run_to_end(stores, log, tmp_path, PICTURE)

    stored = await stores.blobs.get(first.result_key)
    assert MediaTagged.model_validate_json(stored) == first
    assert len(await tagged(log)) == 1


async def test_a_damaged_part_is_noted_and_its_repeat_mends_it(
    tmp_path: Path, stores: Stores
) -> None:
    log = MemoryEventLog(chaos=CALM)
    await create_topics(log)
    first = await run_to_end(stores, log, tmp_path, PICTURE)
    keys = await stores.state.keys(f"part/{MEDIA}/")
    await stores.state.put([(key, b'{"data": [1e999]}') for key in keys])
    stage = stores.stage()

    async with running(stage, log, stores.state, tmp_path):
        await log.publish([encode(PICTURE[0])])
        await until(lambda: caught_up(log, stage))
    noted = [found.key for found in await unreadable(stores.state)]
    again = await run_to_end(stores, log, tmp_path, PICTURE)

    assert noted != []
    assert set(noted) <= set(keys)
    assert again.items == first.items
