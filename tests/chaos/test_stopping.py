"""However it is stopped, it loses nothing and leaves nobody behind."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import Settings
from tests.chaos import kept
from tests.chaos.media import write_looks, write_shop
from tests.chaos.tagger import Run, Tagger

_BEGUN_S = 120.0
_DONE_S = 300.0


def _interrupt(run: Run) -> None:
    run.stop(signal.SIGINT)


def _insist(run: Run) -> None:
    # Two different signals, since equal ones may become one.
    os.killpg(run.pid, signal.SIGINT)
    os.killpg(run.pid, signal.SIGTERM)
    run.ended(10, 128 + signal.SIGTERM)


@pytest.mark.parametrize("stop", [_interrupt, _insist], ids=["ctrl-c", "a-second-signal"])
@pytest.mark.timeout(600)
async def test_a_stopped_engine_goes_on_where_it_stopped(
    tmp_path: Path, stop: Callable[[Run], None]
) -> None:
    looks = write_looks(tmp_path / "watched", pictures=5, films=1, repeats=0, seed=5)
    tagger = Tagger(tmp_path, tmp_path / "data")
    watch = ("run", "--watch", str(tmp_path / "watched"))

    with tagger.running(*watch) as run:
        assert run.until(lambda: _some(tagger.data, "crops/*/*/*"), _BEGUN_S), run.said()
        stop(run)
    tagger.finish(*watch, "--until-idle", within_s=_DONE_S)

    found = await kept.read(Settings(data_dir=tagger.data))
    statuses = {tagged.filename: tagged.status for tagged in found.results.values()}
    assert statuses == {look.name: "complete" for look in looks}
    assert found.letters == []
    assert tagger.leftovers() == []


@pytest.mark.timeout(600)
async def test_a_killed_catalog_add_is_finished_by_the_next(tmp_path: Path) -> None:
    write_shop(tmp_path / "shop", products=5)
    tagger = Tagger(tmp_path, tmp_path / "data")
    add = ("catalog", "add", str(tmp_path / "shop"))

    with tagger.running(*add) as run:
        assert run.until(lambda: _some(tagger.data, "results/*"), _BEGUN_S), run.said()
        run.kill()
    tagger.finish(*add, within_s=_DONE_S)

    found = await kept.read(Settings(data_dir=tagger.data))
    points = Counter(p.point_id for tagged in found.results.values() for p in tagged.points)
    assert [tagged.status for tagged in found.results.values()] == ["complete"] * 5
    assert found.catalog_points() == points
    assert len(found.uploads) == 5


def _some(data: Path, place: str) -> bool:
    return any((data / "blobs").glob(place))
