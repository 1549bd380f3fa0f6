"""The subscriber that README shows, as a process on a data folder that was in use."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from core.claimcheck import INLINE_LIMIT, encode_checked
from core.envelope import Event, dump, encode
from core.events import MediaTagged
from core.log.port import Message
from core.settings import Settings
from infra.wiring.adapters import open_ports
from tests.core.samples import SAMPLES

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    "PYTHONUNBUFFERED": "1",
}
PATIENCE_S = 60
TAGGED = SAMPLES["media.tagged"].of(MediaTagged)


def example() -> str:
    """The block of Python in README that subscribes."""
    _, *blocks = (ROOT / "README.md").read_text("utf-8").split("```python\n")
    (code,) = (block.partition("```")[0] for block in blocks if "media.tagged" in block)
    return code


def named(filename: str, revision: int = 1, note: str = "") -> Event[MediaTagged]:
    update = {"filename": filename, "media_id": filename, "revision": revision, "notes": [note]}
    data = TAGGED.data.model_copy(update=update)
    return replace(TAGGED, id=f"{filename}-{revision}", subject=filename, data=data)


@asynccontextmanager
async def subscriber(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", example()),
        cwd=folder,
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def test_the_subscriber_in_readme_reads_large_results_and_past_bad_ones(
    tmp_path: Path,
) -> None:
    large = named("large.mp4", note="x" * INLINE_LIMIT)
    async with open_ports(Settings(data_dir=tmp_path / "tagger-data")) as ports:
        checked = await encode_checked(large, dump(large.data), ports.blobs)
        good = [named("small.jpg"), named("small.jpg"), named("small.jpg", revision=2)]
        gone = Message("media.tagged", "gone", None, {})
        bad = Message("media.tagged", "small.jpg", b"no json", {})
        await ports.log.publish([checked, gone, bad, *map(encode, good)])
    wanted = {"large.mp4 ['shirt']": 1, "small.jpg ['shirt']": 2}
    heard: dict[str, int] = {}

    async with subscriber(tmp_path) as process, asyncio.timeout(PATIENCE_S):
        assert process.stdout is not None
        while heard != wanted:
            line = (await process.stdout.readline()).decode().strip()
            assert line in wanted, line
            heard[line] = heard.get(line, 0) + 1
