from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli import app
from tests.infra.cli.conftest import Tagger
from tests.small_disk import small_disk, use_up_inodes
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


def test_a_clock_that_went_back_is_said_and_no_age_is_below_nothing(
    tagger: Tagger, data_dir: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png("red"))
    tagger("submit", photo)
    assert "clock" not in checks(tagger("health", "--json"))
    with closing(sqlite3.connect(data_dir / "engine.db")) as connection, connection:
        connection.execute("UPDATE records SET time = time + 86400000")

    found = checks(tagger("health", "--json"))

    assert found["clock"]["level"] == "degraded"
    assert re.search(r"events were said at \d{4}-.*, 86\d{3} s ahead", found["clock"]["detail"])
    assert found["stage frames"]["detail"] == (
        "events waiting: 1, said at a time that is still to come on this clock"
    )


def test_a_disk_without_inodes_is_down_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=60") as disk:
        (disk / "data").mkdir()
        use_up_inodes(disk / "many")
        monkeypatch.setenv("TAGGER_DATA_DIR", str(disk / "data"))

        found = checks(CliRunner().invoke(app, ["health", "--json"]))

    assert found["data folder"]["level"] == "down"
    assert "0 inodes left" in found["data folder"]["detail"]


def test_people_get_a_table(shared: Tagger) -> None:
    text = shared("health").stdout

    assert "dead letters" in text
    assert "degraded" in text
