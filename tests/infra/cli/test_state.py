from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.infra.cli.conftest import Tagger, lines
from tests.infra.cli.test_health import checks


def damage(data_dir: Path, prefix: str) -> str:
    """Damages the first value below a prefix; its key."""
    with closing(sqlite3.connect(data_dir / "engine.db")) as db, db:
        query = "SELECT key FROM state WHERE key >= ? ORDER BY key LIMIT 1"
        (key,) = db.execute(query, (prefix,)).fetchone()
        db.execute("UPDATE state SET value = ? WHERE key = ?", (b"\xff\x00", key))
    assert key.startswith(prefix)
    return str(key)


def test_nothing_unreadable_is_said_in_words(shared: Tagger) -> None:
    assert lines(shared("state", "list", "--json")) == []
    assert "could be" in shared("state", "list").stderr


def test_a_damaged_value_is_listed_shown_and_dropped(copied: Path, tagger: Tagger) -> None:
    key = damage(copied, "result/")
    tagger("results", "--json", key.removeprefix("result/"))

    (listed,) = lines(tagger("state", "list", "--json"))
    (shown,) = lines(tagger("state", "show", key))
    found = checks(tagger("health", "--json"))["stored values"]
    dropped = lines(tagger("state", "drop", key, "--json"))

    assert (listed["key"], listed["size"]) == (key, 2)
    assert shown["value"] == "\\xff\x00"
    assert (found["level"], found["next"]) == ("degraded", "tagger state list")
    assert dropped == [{"dropped": [key]}]
    assert lines(tagger("state", "list", "--json")) == []
    assert checks(tagger("health", "--json"))["stored values"]["level"] == "ok"


def test_what_can_be_read_is_not_dropped(copied: Path, tagger: Tagger) -> None:
    damage(copied, "result/")

    assert lines(tagger("state", "drop", "part/", "--json")) == [{"dropped": []}]


@pytest.mark.parametrize("place", ["media.uploaded", "media.uploaded:x:1", "a:1:-1", "::"])
def test_a_place_of_another_form_is_refused(shared: Tagger, place: str) -> None:
    result = shared("dlq", "bury", place)

    assert result.exit_code == 2
    assert "TOPIC:PARTITION:OFFSET" in result.stderr


@pytest.mark.parametrize("place", ["media.uploaded:0:0", "media.uploaded:999:0", "nothing:0:99999"])
def test_what_no_stage_stops_at_is_not_given_up(shared: Tagger, place: str) -> None:
    result = shared("dlq", "bury", place)

    assert result.exit_code == 1
    assert "no stage stops" in str(result.exception)
