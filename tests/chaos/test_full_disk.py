"""A full disk is waited out: nothing fails, nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings
from tests.chaos import kept
from tests.chaos.media import write_looks
from tests.chaos.tagger import Tagger

_SIZE_MB = 192
"""Room for the vector engine's files, which are made at their full size."""
_PIECE = bytes(1 << 16)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={_SIZE_MB}m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_engine_pauses_on_a_full_disk_and_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    looks = write_looks(tmp_path / "watched", pictures=14, films=1, repeats=0, seed=7)
    tagger = Tagger(tmp_path, small_disk / "data")
    results = tagger.data / "blobs" / "results"

    def done() -> int:
        return len(list(results.iterdir())) if results.is_dir() else 0

    with tagger.running("run", "--watch", str(tmp_path / "watched")) as run:
        assert run.until(lambda: done() > 0, 120), run.said()
        _fill(small_disk / "full")
        assert run.until(lambda: "stage_paused" in run.said(), 120), run.said()
        (small_disk / "full").unlink()
        assert run.until(lambda: done() == len(looks), 300), run.said()
        run.stop()

    found = await kept.read(Settings(data_dir=tagger.data))
    assert {tagged.status for tagged in found.results.values()} == {"complete"}
    assert found.letters == []
    assert kept.unclean(tagger.data) == []


def _fill(file: Path) -> None:
    try:
        with file.open("wb", buffering=0) as stream:
            while stream.write(_PIECE):
                pass
    except OSError:
        return
