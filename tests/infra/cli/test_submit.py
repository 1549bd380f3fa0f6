from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli import app
from tests.infra.cli.conftest import Tagger, lines
from tests.vision_standin import png


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png("red", "blue"))
    return path


def test_without_waiting_files_are_announced_for_whoever_is_the_engine(
    tagger: Tagger, photo: Path
) -> None:
    result = tagger("submit", photo, "--json")

    assert result.exit_code == 0
    (announced,) = lines(result)
    assert announced["file"] == str(photo)
    assert len(announced["media_id"]) == 32
    assert photo.exists()


@pytest.mark.usefixtures("beside")
def test_beside_an_engine_it_waits_for_that_engines_results(tagger: Tagger, photo: Path) -> None:
    result = tagger("submit", photo, "--wait", "--json")

    assert result.exit_code == 0, result.output
    (tagged,) = lines(result)
    assert tagged["status"] == "complete"
    assert [item["label"] for item in tagged["items"]] == ["red thing", "blue thing"]
    assert tagged["uploads"][0]["uri"] == photo.as_uri()


@pytest.mark.usefixtures("beside")
def test_a_prompt_narrows_what_is_looked_for(tagger: Tagger, photo: Path) -> None:
    result = tagger("submit", photo, "--wait", "--json", "--prompt", "outerwear. hovercraft.")

    (tagged,) = lines(result)
    assert [item["label"] for item in tagged["items"]] == ["blue thing"]
    assert any("hovercraft" in note for note in tagged["notes"])


@pytest.mark.usefixtures("beside")
def test_one_bad_file_costs_its_neighbours_nothing_and_shows_in_the_exit_code(
    tagger: Tagger, photo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")

    result = tagger("submit", broken, tmp_path / "notes.txt", photo, "--wait", "--json")

    assert result.exit_code == 1
    failed, refused, tagged = lines(result)
    assert (failed["status"], failed["filename"]) == ("failed", "broken.jpg")
    assert refused["file"].endswith("notes.txt")
    assert "neither a picture nor a video" in refused["error"]
    assert tagged["status"] == "complete"


def test_files_of_other_kinds_are_counted_and_the_kinds_that_are_read_named(
    tagger: Tagger, photo: Path, tmp_path: Path
) -> None:
    result = tagger("submit", tmp_path / "a.psd", tmp_path / "b.psd", tmp_path / "c.txt", photo)

    assert result.exit_code == 1
    assert "not read: 2 .psd, 1 .txt" in result.stderr
    assert "read are JPEG, PNG, WEBP, HEIC, AVIF, GIF" in result.stderr


@pytest.mark.usefixtures("beside")
def test_the_same_file_again_is_answered_from_what_is_known(tagger: Tagger, photo: Path) -> None:
    tagger("submit", photo, "--wait")

    (again,) = lines(tagger("submit", photo, photo, "--wait", "--json"))

    assert again["cached"] is True
    assert len(again["uploads"]) == 2


@pytest.mark.usefixtures("beside")
def test_people_get_a_table_and_what_to_do_about_a_missing_catalog(
    tagger: Tagger, photo: Path
) -> None:
    result = tagger("submit", photo, "--wait")

    assert "red thing" in result.stdout
    assert "tagger catalog add" in result.stdout


def test_a_folder_is_answered_with_what_tags_folders(tagger: Tagger, tmp_path: Path) -> None:
    result = tagger("submit", tmp_path)

    assert f"tagger run --watch {tmp_path}" in str(result.exception)


def test_the_data_folder_may_come_from_the_environment(photo: Path, data_dir: Path) -> None:
    environment = {"TAGGER_DATA_DIR": str(data_dir)}

    result = CliRunner().invoke(app, ["submit", str(photo)], env=environment)

    assert result.exit_code == 0
    assert (data_dir / "engine.db").exists()
