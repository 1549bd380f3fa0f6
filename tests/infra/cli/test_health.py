from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.infra.cli.conftest import Tagger
from tests.vision_standin import png


def checks(result: Result) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.mark.usefixtures("beside")
def test_an_engine_at_work_is_named(tagger: Tagger) -> None:
    found = checks(tagger("health", "--json"))

    assert found["engine"]["level"] == "ok"
    assert found["engine"]["detail"].startswith("process ")
    assert found["stage segment"]["detail"] == "nothing waits"


def test_what_is_missing_names_the_next_command(shared: Tagger) -> None:
    result = shared("health", "--json")

    assert result.exit_code != 0
    found = checks(result)
    assert found["engine"]["next"] == "tagger run --watch DIR"
    assert found["dead letters"]["next"] == "tagger dlq list"


def test_a_folder_that_is_not_there_is_not_made(tagger: Tagger, data_dir: Path) -> None:
    result = tagger("health", "--json")

    assert checks(result)["data folder"]["level"] == "degraded"
    assert not data_dir.exists()


def test_a_folder_of_a_newer_version_is_down_and_wants_an_upgrade(
    tagger: Tagger, data_dir: Path
) -> None:
    tagger("submit", data_dir)  # refused, and the folder is made
    with closing(sqlite3.connect(data_dir / "engine.db")) as connection:
        connection.execute("PRAGMA user_version=9999")

    result = tagger("health", "--json")

    assert result.exit_code == 2
    assert checks(result)["event log"]["next"] == "upgrade tagging-engine"


def test_an_event_that_waits_too_long_is_trouble_and_a_backlog_is_not(
    tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png("red"))
    tagger("submit", photo)

    backlog = checks(tagger("health", "--json"))["stage frames"]
    monkeypatch.setenv("TAGGER_RUNTIME__PARTIAL_AFTER_S", "0.001")
    late = checks(tagger("health", "--json"))["stage frames"]

    assert (backlog["level"], late["level"]) == ("ok", "degraded")
    assert late["detail"].startswith("events waiting: 1,")
    assert late["next"] == "tagger run"


def test_people_get_a_table(shared: Tagger) -> None:
    text = shared("health").stdout

    assert "dead letters" in text
    assert "degraded" in text
