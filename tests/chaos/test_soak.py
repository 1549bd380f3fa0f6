"""A long life costs no more than a short one: what is held does not grow with what was done."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.settings import Settings
from infra.wiring.adapters import open_vectors
from tests.chaos import kept
from tests.chaos.drops import Drops
from tests.chaos.footprint import Footprint, Scene
from tests.chaos.tagger import Run, Tagger

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux says which memory is a process's own"
)

_STANDIN = (sys.executable, "-P", "-m", "tests.chaos.standin_run")
_AT_A_TIME = 20
_ONE_IN = 20
_GROUP_S = 120.0

_BYTES_A_MEDIUM = 512
_JOURNAL_BYTES = 24 << 20
"""The write-ahead log begins anew at 4,000 pages of 4 KiB, as soon as nobody reads from it."""
_CHANCE_GARBAGE = 40
"""Objects: if each of 200 media left a cycle, or of 10 damaged ones, there would be hundreds."""
_PASSING_DESCRIPTORS = 2
_MOST_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Of asyncio's pool, which starts one whenever all others have something to do."""


@pytest.mark.timeout(180)
async def test_nothing_of_a_medium_stays_behind(tmp_path: Path) -> None:
    with _soaking(tmp_path) as soak:
        soak.drop(100)
        soak.garbage()
        early = soak.at_rest()
        soak.drop(200)
        garbage = soak.garbage()
        later = soak.at_rest()

    _expect_flat([early, later])
    assert garbage <= _CHANCE_GARBAGE
    await _expect_all_tagged(tmp_path, soak.drops)


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
async def test_twenty_thousand_small_drops_leave_the_engine_as_it_was(tmp_path: Path) -> None:
    footprints = []
    with _soaking(tmp_path) as soak:
        soak.drop(2_000)
        while soak.drops.made < 20_000:
            soak.drop(500)
            footprints.append(soak.at_rest())
            print(footprints[-1], flush=True)

    _expect_flat(footprints)
    rises = {role: _rise(footprints, role) for role in ("engine", "decoder", "vectors")}
    point = await _point_bytes(tmp_path / "data")
    print(f"bytes a medium: {rises}; a point has {point}")
    assert rises["engine"] <= _BYTES_A_MEDIUM
    assert rises["decoder"] <= _BYTES_A_MEDIUM
    assert rises["vectors"] <= 2 * point
    await _expect_all_tagged(tmp_path, soak.drops)


class _Soak:
    """One life of the engine, in which each small drop is tagged before the next one comes."""

    def __init__(self, run: Run, tagger: Tagger, drops: Drops) -> None:
        self.drops = drops
        self._run = run
        self._results = tagger.data / "blobs" / "results"
        self._scene = Scene(run.pid, tagger.data, tagger.temporary)
        self._asked = 0

    def drop(self, media: int) -> None:
        for _ in range(media // _AT_A_TIME):
            waiting = [self._results / media for media in self.drops.drop(_AT_A_TIME)]
            tagged = self._run.until(lambda: all(map(Path.exists, waiting)), _GROUP_S)  # noqa: B023
            assert tagged, self._run.said()

    def at_rest(self) -> Footprint:
        return self._scene.at_rest(self.drops.made)

    def garbage(self) -> int:
        """How many objects only the collector found since it was asked before."""
        os.kill(self._run.pid, signal.SIGUSR1)
        self._asked += 1
        said = self._run.until(lambda: len(self._run.all("garbage")) == self._asked, _GROUP_S)
        assert said, self._run.said()
        return int(self._run.all("garbage")[-1]["found"])


@contextmanager
def _soaking(folder: Path) -> Iterator[_Soak]:
    drops = Drops(folder / "watched", _ONE_IN)
    tagger = Tagger(folder, folder / "data", program=_STANDIN)
    with tagger.running("--watch", str(folder / "watched")) as run:
        assert run.until((tagger.data / "engine.db-wal").exists, _GROUP_S), run.said()
        yield _Soak(run, tagger, drops)
        run.stop()
    assert kept.unclean(tagger.data) == []
    assert tagger.leftovers() == []


async def _expect_all_tagged(folder: Path, drops: Drops) -> None:
    found = await kept.read(Settings(data_dir=folder / "data"))
    statuses = [tagged.status for tagged in found.results.values()]
    assert statuses.count("complete") == drops.made - drops.damaged
    assert statuses.count("failed") == len(found.letters) == drops.damaged
    assert found.marks == []


def _expect_flat(footprints: Sequence[Footprint]) -> None:
    """But for memory. Any decoder is compared with any: they are replaced now and then."""
    early, *later = footprints
    spare = {"engine": _MOST_THREADS, "decoder": 0, "vectors": 0}
    for now in later:
        assert now.scratch == early.scratch, (early, now)
        assert now.wal <= max(early.wal, _JOURNAL_BYTES), (early, now)
        for role in spare:
            before, after = early.of(role), now.of(role)
            assert len(after) == len(before), (early, now)
            descriptors = max(one.descriptors for one in before) + _PASSING_DESCRIPTORS
            threads = max(one.threads for one in before) + spare[role]
            assert max(one.descriptors for one in after) <= descriptors, (early, now)
            assert max(one.threads for one in after) <= threads, (early, now)


def _rise(footprints: Sequence[Footprint], role: str) -> float:
    """Bytes a medium, from the lowest of the first third to the lowest of the last: what is kept
    raises these, too, and what the allocator holds for a while does not. Of decoders it is the
    largest at each time, however long it has lived."""
    sizes = [(max(one.memory for one in now.of(role)), now.media) for now in footprints]
    third = len(sizes) // 3
    (early, since), (late, until) = min(sizes[:third]), min(sizes[-third:])
    return (late - early) / (until - since)


async def _point_bytes(data: Path) -> float:
    """Of one point: its vector, and its payload as JSON."""
    async with open_vectors(Settings(data_dir=data)) as vectors:
        (items,) = [name for name in await vectors.collections() if name.startswith("media_items")]
        points, _ = await vectors.scroll(items, None, 256)
    sizes = [p.vector.nbytes + len(json.dumps(dict(p.payload)).encode()) for p in points]
    return sum(sizes) / len(sizes)
