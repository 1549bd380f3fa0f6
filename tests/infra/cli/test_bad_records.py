"""Commands read past what they cannot read, and say on stderr what that was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hostile_records import add_bad_records, spoil_blobs
from tests.infra.cli.conftest import Tagger, lines

MEDIA = {"look.png", "broken.jpg"}


@pytest.fixture
def bad_results(copied: Path) -> int:
    return add_bad_records(copied, "media.tagged")


@pytest.fixture
def bad_letters(copied: Path) -> int:
    return add_bad_records(copied, "dead.letters")


def test_results_are_listed_beside_bad_ones(tagger: Tagger, bad_results: int) -> None:
    as_json = tagger("results", "--json")
    as_table = tagger("results")

    assert {line["filename"] for line in lines(as_json)} == MEDIA
    assert "look.png" in as_table.stdout
    for said in (as_json.stderr, as_table.stderr):
        assert f"{bad_results} records could not be read: media.tagged:" in said


def test_dead_letters_are_listed_shown_and_redriven_beside_bad_ones(
    tagger: Tagger, bad_letters: int
) -> None:
    listed, shown = tagger("dlq", "list", "--json"), tagger("dlq", "show")
    redriven = tagger("dlq", "redrive", "--all", "--json")

    assert [letter["stage"] for letter in lines(listed)] == ["frames"]
    assert [letter["stage"] for letter in lines(shown)] == ["frames"]
    assert lines(redriven) == [{"redriven": 1, "stages": {"frames": 1}}]
    for result in (listed, shown, redriven):
        assert f"{bad_letters} records could not be read: dead.letters:" in result.stderr


def test_health_names_bad_dead_letters_and_goes_on(tagger: Tagger, bad_letters: int) -> None:
    result = tagger("health", "--json")

    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert "1 events were given up" in found["dead letters"]["detail"]
    assert f"{bad_letters} records could not be read" in found["dead letters"]["detail"]
    assert "catalog" in found


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_an_export_leaves_out_what_is_damaged_and_says_so(
    tagger: Tagger, copied: Path, tmp_path: Path, form: str
) -> None:
    look = next(one for one in lines(tagger("results", "--json")) if one["status"] == "complete")
    spoil_blobs(copied, f"results/{look['media_id']}/")
    target = tmp_path / "export"

    result = tagger("results", "--export", form, "--output", target)

    assert result.exit_code == 0
    assert "broken.jpg" in target.read_text()
    assert "look.png" not in target.read_text()
    assert f"1 record could not be read: result of {look['media_id']}" in result.stderr


def test_a_damaged_result_is_made_anew_when_its_file_is_submitted_again(
    tagger: Tagger, copied: Path, shared_folder: Path
) -> None:
    look = shared_folder.parent / "look.png"
    assert spoil_blobs(copied, "results/") == 5

    (tagged,) = lines(tagger("submit", look, "--wait", "--json"))

    assert tagged["filename"] == "look.png"
    assert lines(tagger("results", tagged["media_id"], "--json")) == [tagged]
