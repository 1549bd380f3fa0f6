"""What a cluster must take without a scratch: restarts in order, and dependencies that are away."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from core.envelope import decode
from core.events import ItemsMatched, MediaTagged
from infra.wiring.adapters import open_log
from infra.wiring.stages import RECIPES
from tests.chaos import kept
from tests.chaos.cluster import Cluster, cluster
from tests.chaos.media import write_looks
from tests.chaos.tagger import Run
from tests.servers.kafka import KafkaBroker
from tests.servers.minio import MinioServer
from tests.servers.process import ServerProcess

WITHIN_S = 240.0


async def heard(made: Cluster, topic: str) -> dict[str, str]:
    """What a subscriber who drops repeats by ce_id has: ce_id -> frame, or medium."""
    found: dict[str, str] = {}
    async with open_log(made.settings) as log:
        async for record in log.tail([topic], "earliest", follow=False):
            event = decode(record)
            found.setdefault(event.id, event.frame or event.subject)
    return found


@pytest.mark.timeout(600)
async def test_a_rolling_restart_under_load_is_noticed_by_no_subscriber(tmp_path: Path) -> None:
    pictures, films = 30, 2
    write_looks(tmp_path / "looks", pictures, films, repeats=0, seed=5)

    with cluster(tmp_path) as made, ExitStack() as stack:
        crew = {name: stack.enter_context(_named(made, name)) for name in RECIPES.names}
        producer = stack.enter_context(
            made.tagger().running("produce", "folder", str(tmp_path / "looks"))
        )
        for name in (*RECIPES.names, *reversed(RECIPES.names)):
            await asyncio.to_thread(_until_running, crew[name])
            await asyncio.to_thread(crew[name].stop)
            crew[name] = stack.enter_context(_named(made, name))
        await made.settled(pictures + films, WITHIN_S)
        producer.stop()
        for run in crew.values():
            _until_running(run)
            run.stop()
        found = await kept.read(made.settings)
        matched = await heard(made, ItemsMatched.topic)
        tagged = await heard(made, MediaTagged.topic)

    frames = {frame.frame_id for one in found.results.values() for frame in one.frames}
    assert found.letters == []
    assert {one.status for one in found.results.values()} == {"complete"}
    assert Counter(matched.values()) == Counter(frames)
    assert Counter(tagged.values()) == Counter(found.results.keys())


def _named(made: Cluster, name: str) -> AbstractContextManager[Run]:
    """A process that has its partitions back as soon as it is back (static membership)."""
    return made.tagger({"KAFKA_INSTANCE": f"{name}-0"}).running("consume", name)


def _until_running(run: Run) -> None:
    """One that was just started does not hear a signal yet."""
    assert run.until(lambda: run.has_said(": running"), within_s=60)


@pytest.mark.timeout(600)
async def test_dependencies_that_are_away_for_a_while_cost_time_only(tmp_path: Path) -> None:
    await _expect_nothing_lost(tmp_path, pictures=24, away_s=6.0)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_dependencies_that_are_away_for_a_minute_cost_time_only(tmp_path: Path) -> None:
    await _expect_nothing_lost(tmp_path, pictures=60, away_s=60.0)


async def _expect_nothing_lost(folder: Path, *, pictures: int, away_s: float) -> None:
    """The broker, the S3 server and the vector server stop, one after the other, each while
    pictures are on their way."""
    looks = write_looks(folder / "looks", pictures, films=0, repeats=0, seed=6)
    watched = folder / "watched"
    watched.mkdir()
    (folder / "kafka").mkdir()
    broker, minio = KafkaBroker(folder / "kafka"), MinioServer(folder / "minio")

    with ExitStack() as stack:
        for server in (broker, minio):
            stack.callback(server.stop)
            server.start()
        made = stack.enter_context(cluster(folder, broker=broker, minio=minio))
        stages = stack.enter_context(made.stages())
        producer = stack.enter_context(made.tagger().running("produce", "folder", str(watched)))
        share = len(looks) // 3
        for number, server in enumerate((broker, minio, made.qdrant)):
            for look in looks[number * share : (number + 1) * share]:
                look.rename(watched / look.name)
            await made.settled(number * share + 2, WITHIN_S, quiet=False)
            await asyncio.to_thread(_away, server, away_s)
        await made.settled(3 * share, WITHIN_S)
        paused = {name for name, run in stages.items() if run.has_said("stage_paused")}
        producer.stop()
        found = await kept.read(made.settings)

    assert paused == set(RECIPES.names)
    assert found.letters == []
    assert {one.status for one in found.results.values()} == {"complete"}
    assert set(found.waiting.values()) == {0}


def _away(server: ServerProcess, seconds: float) -> None:
    server.stop()
    time.sleep(seconds)
    server.start()
