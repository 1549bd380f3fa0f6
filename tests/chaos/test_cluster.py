"""Processes, broker and S3 server killed at random moments cost a cluster time and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest

from core.errors import OutageError
from core.results.keys import latest_prefix
from core.settings import Settings
from infra.contract.topics import cluster_topics
from infra.wiring.adapters import open_ports
from infra.wiring.stages import RECIPES
from tests.chaos import kept
from tests.chaos.cluster import Cluster, cluster
from tests.chaos.media import write_looks, write_shop
from tests.chaos.tagger import Run, Tagger
from tests.servers.kafka import KafkaBroker
from tests.servers.minio import MinioServer
from tests.servers.process import ServerProcess

_KILL_EVERY_S = 2.0
_AWAY_S = 3.0
_DONE = 0.95


@pytest.mark.timeout(900)
async def test_a_few_kills_leave_the_results_of_an_undisturbed_run(tmp_path: Path) -> None:
    await _expect_equal_results(tmp_path, products=6, pictures=34, films=2, repeats=2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(5400)
async def test_500_media_under_fire_have_the_results_of_an_undisturbed_run(tmp_path: Path) -> None:
    await _expect_equal_results(tmp_path, products=20, pictures=485, films=15, repeats=20, seed=2)


async def _expect_equal_results(
    folder: Path, *, products: int, pictures: int, films: int, repeats: int, seed: int
) -> None:
    write_looks(folder / "looks", pictures, films, repeats, seed)
    write_shop(folder / "shop", products)
    calm = Tagger(folder, folder / "calm")
    calm.finish("catalog", "add", str(folder / "shop"), within_s=600)
    calm.finish("run", "--watch", str(folder / "looks"), "--until-idle", within_s=1800)
    expected = await kept.read(Settings(data_dir=calm.data))

    with _servers(folder) as (broker, minio), cluster(folder, None, broker, minio) as made:
        await _under_fire(made, broker, minio, products, pictures + films, seed)
        found = await kept.read(made.settings)

    assert len(found.queries) == pictures + films
    assert {tagged.status for tagged in found.results.values()} == {"complete"}
    assert kept.differences(expected.results, found.results) == []
    assert [letter.data.reason for letter in found.letters] == []
    assert set(found.waiting.values()) == {0}
    assert found.marks == []
    kept.expect_nothing_doubled(found)
    kept.expect_one_voice(found)


async def _under_fire(
    made: Cluster, broker: KafkaBroker, minio: MinioServer, products: int, media: int, seed: int
) -> None:
    """Fills the catalog in peace, then tags while whatever there is gets killed."""
    tagger, random = made.tagger(), Random(seed)
    with ExitStack() as stack:
        journal = stack.enter_context(kept_journal(made.folder))
        crew = Crew(tagger, stack, journal)
        for name in RECIPES.names:
            crew.start(name)
        tagger.finish("catalog", "add", str(made.folder / "shop"), within_s=300)
        producer = stack.enter_context(
            tagger.running("produce", "folder", str(made.folder / "looks"))
        )
        progress = Progress(made, products, media)
        plan: list[tuple[float, Callable[[], None]]] = [
            (0.10, lambda: crew.scale("segment", 3)),
            (0.25, lambda: _bounce(broker, "broker", journal)),
            (0.45, lambda: _bounce(minio, "minio", journal)),
            (0.60, lambda: _bounce(broker, "broker", journal)),
            (0.75, lambda: crew.scale("segment", 1)),
        ]
        while (done := await progress.share()) < _DONE or plan:
            if plan and done >= plan[0][0]:
                await asyncio.to_thread(plan.pop(0)[1])
            await asyncio.to_thread(crew.kill_one, random)
            journal.note(f"{done:.0%} done")
            await asyncio.sleep(_KILL_EVERY_S)
        journal.note("cease fire")
        await made.settled(products + media, 600)
        producer.stop()
        crew.stop()
        journal.note(f"all done: {crew.killed} processes killed")


class Crew:
    """The processes of all stages; who is killed is replaced at once."""

    def __init__(self, tagger: Tagger, stack: ExitStack, journal: Journal) -> None:
        self._tagger = tagger
        self._stack = stack
        self._journal = journal
        self._runs: dict[str, list[Run]] = {name: [] for name in RECIPES.names}
        self.killed = 0

    def start(self, name: str) -> None:
        run = self._stack.enter_context(self._tagger.running("consume", name))
        self._runs[name].append(run)
        self._journal.note(f"{name}: process {run.pid} started")

    def kill_one(self, random: Random) -> None:
        name = random.choice(list(self._runs))
        run = self._runs[name].pop(random.randrange(len(self._runs[name])))
        assert run.alive, f"{name} ended by itself:\n{run.said()}"
        run.kill()
        self.killed += 1
        self._journal.note(f"{name}: process {run.pid} killed")
        self.start(name)

    def scale(self, name: str, count: int) -> None:
        """To so many processes; who is not needed any more is asked to go."""
        while len(self._runs[name]) < count:
            self.start(name)
        while len(self._runs[name]) > count:
            run = self._runs[name].pop()
            _heard(run)
            run.stop()
            self._journal.note(f"{name}: process {run.pid} stopped in order")

    def stop(self) -> None:
        """One after the other, each when its partitions are its own: the group gives those of a
        process that was killed to its successor when it misses it, and not sooner."""
        for name, [run] in self._runs.items():
            assert run.until(partial(_owns_all, run, name), within_s=60), name
            self.scale(name, 0)


def _heard(run: Run) -> None:
    """Returns once the process listens to signals: one that was just started does not yet."""
    assert run.until(lambda: run.has_said(": running"), within_s=60)


def _owns_all(run: Run, name: str) -> bool:
    """Whether it is the only member that its group knows of."""
    partitions = {spec.name: spec.partitions for spec in cluster_topics()}
    [recipe] = RECIPES.chosen([name])
    taken = run.last("partitions_taken")
    return taken is not None and taken["count"] == sum(partitions[it] for it in recipe.topics)


class Progress:
    """How many of the media have a result, as far as the store can be asked."""

    def __init__(self, made: Cluster, products: int, media: int) -> None:
        self._made = made
        self._products = products
        self._media = media
        self._share = 0.0

    async def share(self) -> float:
        try:
            async with open_ports(self._made.settings) as ports:
                count = len(await ports.state.keys(latest_prefix()))
        except OutageError:
            return self._share
        self._share = (count - self._products) / self._media
        return self._share


class Journal:
    """What happened when, for people."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lines: list[str] = []

    def note(self, text: str) -> None:
        self._lines.append(f"{time.monotonic() - self._started:7.1f} s  {text}\n")

    def text(self) -> str:
        return "".join(self._lines)


@contextmanager
def kept_journal(folder: Path) -> Iterator[Journal]:
    """Written into the folder that TAGGER_TEST_ARTEFACTS names, else the test's own."""
    journal = Journal()
    try:
        yield journal
    finally:
        home = Path(os.environ.get("TAGGER_TEST_ARTEFACTS") or folder)
        home.mkdir(parents=True, exist_ok=True)
        (home / "cluster-chaos.log").write_text(journal.text())


def _bounce(server: ServerProcess, name: str, journal: Journal) -> None:
    server.kill()
    journal.note(f"{name} killed")
    time.sleep(_AWAY_S)
    server.start()
    journal.note(f"{name} started again")


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[KafkaBroker, MinioServer]]:
    (folder / "kafka").mkdir()
    broker, minio = KafkaBroker(folder / "kafka"), MinioServer(folder / "minio")
    with ExitStack() as stack:
        for server in (broker, minio):
            stack.callback(server.stop)
            server.start()
        yield broker, minio
