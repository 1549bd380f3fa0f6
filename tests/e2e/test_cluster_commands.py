"""The command line on a cluster: what works on one machine works there, and says what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from core.log.port import TopicSpec
from core.settings import Settings
from infra.cli import app
from infra.wiring.adapters import open_log
from infra.wiring.stages import RECIPES
from tests.chaos.cluster import Cluster, cluster
from tests.vision_standin import png


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that ``tagger`` in this process finds, too."""
    with cluster(tmp_path) as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TAGGER_DATA_DIR", str(tmp_path / "here"))
        yield one


def tagger(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.mark.timeout(300)
def test_a_picture_is_submitted_waited_for_and_listed(made: Cluster, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png("red", "blue", side=200))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")

    with made.stages():
        tagged = tagger("submit", photo, "--wait", "--json")
        broken = tagger("submit", tmp_path / "broken.jpg", "--wait", "--json")
        health = tagger("health", "--json")
    letters = tagger("dlq", "list", "--json")
    heard = tagger("topics", "tail", "media.tagged", "--group", "shop", "--json")
    again = tagger("topics", "tail", "media.tagged", "--group", "shop", "--json")

    assert len(heard.stdout.splitlines()) >= 2
    assert again.stdout == ""
    assert json.loads(tagged.stdout)["status"] == "complete"
    assert json.loads(broken.stdout)["status"] == "failed"
    assert [json.loads(line)["stage"] for line in letters.stdout.splitlines()] == ["frames"]
    found = checks(health)
    assert {f"stage {name}" for name in RECIPES.names} <= found.keys()
    assert {found[name]["level"] for name in ("event log", "blob store")} == {"ok"}
    assert "stands still for 7 days starts over" in found["event log"]["detail"]
    assert found["catalog"]["next"] == "tagger catalog add DIR"
    assert "engine" not in found


def test_topics_are_made_once_and_one_that_is_kept_otherwise_is_named(
    made: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = _create()
    monkeypatch.setenv("KAFKA_PREFIX", f"{made.name}.other.")
    asyncio.run(_make(TopicSpec("media.framed", partitions=3, retention_s=86_400.0)))

    other = _create()

    assert len(again) == 10
    assert [topic for topic in again.values() if topic["made"] or topic["drift"]] == []
    assert other["media.framed"] == {
        "name": "media.framed",
        "made": False,
        "drift": ["3 partitions instead of 12", "keeps 1 days instead of everything"],
    }
    assert other["media.tagged"] == {"name": "media.tagged", "made": True, "drift": []}


def test_another_number_of_copies_than_was_asked_for_is_named(
    made: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_REPLICATION_FACTOR", "3")

    kept = _create()

    drifts = {drift for topic in kept.values() for drift in topic["drift"]}
    assert drifts == {"replication factor 1 instead of 3"}


async def _make(topic: TopicSpec) -> None:
    async with open_log(Settings()) as log:
        await log.create_topics([topic])


def _create() -> dict[str, dict[str, Any]]:
    printed = tagger("topics", "create", "--json").stdout
    return {topic["name"]: topic for topic in map(json.loads, printed.splitlines())}


def test_what_is_away_is_named_with_what_to_do(made: Cluster) -> None:
    made.qdrant.stop()

    result = tagger("health", "--json")

    found = checks(result)
    assert result.exit_code == 2
    assert found["catalog"]["level"] == "down"
    assert made.qdrant.url in found["catalog"]["detail"]
    assert found["event log"]["level"] == "ok"
