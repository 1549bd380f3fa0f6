"""kill -9 at random moments costs time and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from core.settings import Settings
from tests.chaos import kept
from tests.chaos.kept import Kept
from tests.chaos.media import write_looks, write_shop
from tests.chaos.moments import kill_at, moments
from tests.chaos.tagger import Tagger


@pytest.mark.timeout(600)
async def test_five_kills_leave_the_results_of_an_undisturbed_run(tmp_path: Path) -> None:
    await _expect_equal_results(
        tmp_path, products=8, pictures=34, films=2, repeats=4, kills=5, seed=1
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_fifty_kills_leave_the_results_of_an_undisturbed_run(tmp_path: Path) -> None:
    await _expect_equal_results(
        tmp_path, products=20, pictures=290, films=10, repeats=15, kills=50, seed=2
    )


async def _expect_equal_results(
    folder: Path, *, products: int, pictures: int, films: int, repeats: int, kills: int, seed: int
) -> None:
    looks = write_looks(folder / "looks", pictures, films, repeats, seed)
    write_shop(folder / "shop", products)
    prepared = Tagger(folder, folder / "prepared")
    prepared.finish("catalog", "add", str(folder / "shop"), within_s=300)

    calm = await _run_calmly(folder, looks)
    killed = await _run_under_fire(folder, looks, kills, seed)

    assert len(calm.queries) == pictures + films
    assert {tagged.status for tagged in killed.results.values()} == {"complete"}
    assert kept.differences(calm.results, killed.results) == []
    assert [letter.data.reason for letter in killed.letters] == []
    assert set(killed.waiting.values()) == {0}
    assert killed.marks == []
    kept.expect_nothing_doubled(killed)
    kept.expect_one_voice(killed)


async def _run_calmly(folder: Path, looks: Sequence[Path]) -> Kept:
    tagger = _tagger(folder, "calm")
    watched = folder / "watched"
    watched.mkdir()
    for look in looks:
        shutil.copyfile(look, watched / look.name)
    tagger.finish("run", "--watch", str(watched), "--until-idle", within_s=1500)
    found = await kept.read(Settings(data_dir=tagger.data))
    shutil.rmtree(watched)
    return found


async def _run_under_fire(folder: Path, looks: Sequence[Path], kills: int, seed: int) -> Kept:
    tagger = _tagger(folder, "killed")
    watched = folder / "watched"  # at the same place, so that uris and with them roots are equal
    watched.mkdir()
    arriving = list(looks)
    share = max(1, len(looks) // kills)
    left = moments(Random(seed), kills)
    while left:
        for look in arriving[:share]:
            shutil.copyfile(look, watched / look.name)
        arriving = arriving[share:]
        with tagger.running("run", "--watch", str(watched)) as run:
            if kill_at(left[-1], run, tagger.data):
                left.pop()
    for look in arriving:
        shutil.copyfile(look, watched / look.name)
    tagger.finish("run", "--watch", str(watched), "--until-idle", within_s=1500)
    assert tagger.leftovers() == []
    found = await kept.read(Settings(data_dir=tagger.data))
    assert kept.unclean(tagger.data) == []
    return found


def _tagger(folder: Path, name: str) -> Tagger:
    shutil.copytree(folder / "prepared", folder / name)
    return Tagger(folder, folder / name)
