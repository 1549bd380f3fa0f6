"""What is particular to vectors in a folder: its one holder, its engine's process, crashes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from core.errors import BusyError, FormatError, OutageError
from core.vectors.edge.engine import Engine
from core.vectors.edge.process import EngineProcess
from core.vectors.edge.shard import Shard
from core.vectors.edge.store import EdgeVectorStore
from core.vectors.edge.wire import Record, Spec, Where
from core.vectors.port import CollectionSpec, Point

_SPEC = CollectionSpec("items", "fashion-1", 4, ("category",))
_PLAIN = Spec("items", "fashion-1", 4, ("category",))
_ALL = Where({}, {})


@pytest.fixture
async def vectors(tmp_path: Path) -> AsyncIterator[EdgeVectorStore]:
    store = await EdgeVectorStore.open(tmp_path / "vectors")
    await store.create(_SPEC)
    yield store
    await store.close()


def _point(number: int) -> Point:
    return Point(str(uuid.UUID(int=number)), np.eye(4, dtype=np.float32)[0], {"category": "bag"})


def _record(number: int) -> Record:
    return Record(str(uuid.UUID(int=number)), np.eye(4, dtype=np.float32)[0].tobytes(), {})


def _engine() -> psutil.Process:
    children = psutil.Process().children()
    [engine] = [each for each in children if "core.vectors.edge.child" in str(each.cmdline())]
    return engine


def _engine_pid() -> int:
    return int(_engine().pid)


async def test_the_one_who_holds_the_folder_is_named(
    vectors: EdgeVectorStore, tmp_path: Path
) -> None:
    with pytest.raises(BusyError, match=rf"in use by process {os.getpid()}; stop it, or talk"):
        await EdgeVectorStore.open(tmp_path / "vectors")

    await vectors.close()
    await (await EdgeVectorStore.open(tmp_path / "vectors")).close()


async def test_an_engine_that_dies_is_an_outage_and_comes_back(vectors: EdgeVectorStore) -> None:
    await vectors.upsert("items", "fashion-1", [_point(1)])
    os.kill(_engine_pid(), signal.SIGSTOP)
    waiting = asyncio.create_task(vectors.upsert("items", "fashion-1", [_point(2)]))
    await asyncio.sleep(0.05)

    os.kill(_engine_pid(), signal.SIGKILL)

    with pytest.raises(OutageError, match=r"died of SIGKILL.*restarts"):
        await waiting
    assert await vectors.count("items") >= 1
    await vectors.upsert("items", "fashion-1", [_point(2)])
    assert await vectors.count("items") == 2


async def test_a_stopped_engine_is_an_outage_that_names_it_and_is_replaced(tmp_path: Path) -> None:
    vectors = EdgeVectorStore(await EngineProcess.start(tmp_path, silence_limit_s=1.0))
    await vectors.create(_SPEC)
    stopped = _engine_pid()
    os.kill(stopped, signal.SIGSTOP)

    with pytest.raises(OutageError, match=rf"process {stopped}\) has not answered.*restarts it"):
        await vectors.count(_SPEC.name)

    assert await vectors.count(_SPEC.name) == 0
    assert _engine_pid() != stopped
    await vectors.close()


async def test_signals_to_everyone_do_not_end_the_engine(vectors: EdgeVectorStore) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(_engine_pid(), number)

    assert await vectors.count("items") == 0


async def test_the_engine_sees_nothing_of_the_environment_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGGER_S3__SECRET_KEY", "a secret")

    vectors = await EdgeVectorStore.open(tmp_path / "vectors")

    assert "a secret" not in _engine().environ().values()
    await vectors.close()


async def test_a_closed_store_says_so(vectors: EdgeVectorStore) -> None:
    await vectors.close()

    with pytest.raises(RuntimeError, match="closed"):
        await vectors.count("items")


async def test_a_folder_called_core_does_not_stand_in_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('the wrong core')")
    monkeypatch.chdir(tmp_path)

    vectors = await EdgeVectorStore.open(Path("vectors"))

    assert await vectors.collections() == {}
    await vectors.close()


async def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutageError, match="file"):
        await EdgeVectorStore.open(tmp_path / "file" / "vectors")


def test_what_power_loss_leaves_holds_every_synced_change(tmp_path: Path) -> None:
    """Power loss may take all that was not synced: then the log alone must do."""
    engine = Engine(tmp_path / "before")
    engine.create(_PLAIN)
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    engine.upsert("items", "fashion-1", [_record(number) for number in range(1, 51)])
    engine.annotate("items", {_record(7).id: {"category": "dress"}})
    engine.delete("items", Where({"category": ["dress"]}, {}))
    engine.sync()

    log = Path("collections", "items", "shard", "wal")
    shutil.rmtree(tmp_path / "after" / log)
    shutil.copytree(tmp_path / "before" / log, tmp_path / "after" / log)
    found = Engine(tmp_path / "after")

    assert found.count("items", _ALL) == 49
    assert len(found.search("items", "fashion-1", [_record(1).vector], 100, 0.9, _ALL)[0]) == 49
    found.close()
    engine.close()


def test_a_change_is_synced_through_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tmp_path)
    engine.create(_PLAIN)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda handle: synced.append(os.fstat(handle).st_ino))

    engine.upsert("items", "fashion-1", [_record(1)])
    assert synced == []
    engine.sync()
    log = tmp_path / "collections" / "items" / "shard" / "wal"
    assert sorted(synced) == sorted(file.stat().st_ino for file in log.iterdir())
    engine.sync()
    assert len(synced) == len(list(log.iterdir()))
    engine.close()


def test_a_large_collection_is_indexed_in_a_quiet_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.vectors.edge.shard._INDEXED_FROM", 500)
    monkeypatch.setattr("core.vectors.edge.shard._TIDY_AFTER", 1_000)
    drawn = np.random.default_rng(0).normal(size=(1_500, 64)).astype(np.float32)
    rows = [row.tobytes() for row in drawn]
    shard = Shard.create(tmp_path / "shard", 64, [])
    shard.upsert([Record(str(uuid.UUID(int=n)), row, {}) for n, row in enumerate(rows, start=1)])
    before = shard.search(rows[:20], 1, 0.9, _ALL)

    assert shard.untidy
    shard.tidy()

    assert not shard.untidy
    assert any((tmp_path / "shard" / "segments").rglob("graph.bin"))
    assert [[hit.id for hit in hits] for hits in shard.search(rows[:20], 1, 0.9, _ALL)] == [
        [hit.id for hit in hits] for hits in before
    ]
    shard.close()


def test_half_a_collection_is_none(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine.create(_PLAIN)
    engine.create(_PLAIN._replace(name="half"))
    engine.close()
    # What is left of a create that was cut short, and of a drop.
    (tmp_path / "collections" / "half" / "spec.json").unlink()

    engine = Engine(tmp_path)

    assert [spec.name for spec in engine.collections()] == ["items"]
    assert not (tmp_path / "collections" / "half").exists()
    engine.create(_PLAIN._replace(name="half", dim=8))
    assert engine.count("half", _ALL) == 0
    engine.close()


@pytest.mark.parametrize(
    ("words", "says"), [('{"format": 2}', "newer version"), ('{"form', "damaged"), ("", "damaged")]
)
def test_a_collection_that_cannot_be_read_is_not_guessed_at(
    tmp_path: Path, words: str, says: str
) -> None:
    engine = Engine(tmp_path)
    engine.create(_PLAIN)
    engine.close()
    (tmp_path / "collections" / "items" / "spec.json").write_text(words)

    with pytest.raises(FormatError, match=says):
        Engine(tmp_path)


async def test_a_store_of_a_newer_version_is_refused_at_the_start(tmp_path: Path) -> None:
    collection = tmp_path / "vectors" / "collections" / "items"
    await asyncio.to_thread(collection.mkdir, parents=True)
    (collection / "spec.json").write_text(json.dumps({"format": 99}))

    with pytest.raises(FormatError, match="newer version"):
        await EdgeVectorStore.open(tmp_path / "vectors")
