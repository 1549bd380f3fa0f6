from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from infra.report.export import read_csv
from tests.infra.cli.conftest import Tagger, lines


def test_the_newest_media_are_listed_and_catalog_pictures_are_not(shared: Tagger) -> None:
    result = shared("results", "--json")

    assert {line["filename"] for line in lines(result)} == {"look.png", "broken.jpg"}
    assert {line["product"]["id"] for line in lines(shared("results", "--catalog", "--json"))} == {
        *("1", "2", "3")
    }


def test_the_list_can_be_limited(shared: Tagger) -> None:
    assert len(lines(shared("results", "--limit", 1, "--json"))) == 1


def test_a_medium_is_named_by_the_first_digits_of_its_id(shared: Tagger) -> None:
    look = next(one for one in lines(shared("results", "--json")) if one["status"] == "complete")

    (shown,) = lines(shared("results", look["media_id"][:6], "--json"))

    assert shown == look
    matched = {item["label"]: [m["product_id"] for m in item["matches"]] for item in look["items"]}
    assert matched == {"red thing": ["1"], "blue thing": ["3"], "black thing": []}


@pytest.mark.parametrize(
    ("identity", "words"),
    [("f" * 32, "no result of"), ("xyz", "no media id"), ("", "no media id")],
)
def test_an_id_of_nothing_is_a_clear_error(shared: Tagger, identity: str, words: str) -> None:
    result = shared("results", identity)

    assert result.exit_code != 0
    assert words in str(result.exception)


def test_people_see_titles_prices_and_similarities(shared: Tagger) -> None:
    look = next(one for one in lines(shared("results", "--json")) if one["status"] == "complete")

    text = shared("results", look["media_id"]).stdout

    assert "The red one" in text
    assert "no match" in text
    assert "1.00" in text


def test_csv_has_a_row_for_each_match_and_for_each_item_without_one(shared: Tagger) -> None:
    rows = list(csv.DictReader(io.StringIO(shared("results", "--export", "csv").stdout)))

    look = [row for row in rows if row["filename"] == "look.png"]
    assert [(row["label"], row["product_id"]) for row in look] == [
        *(("red thing", "1"), ("blue thing", "3"), ("black thing", ""))
    ]
    assert [row["status"] for row in rows if row["filename"] == "broken.jpg"] == ["failed"]


def test_csv_for_excel_begins_with_a_byte_order_mark(shared: Tagger, tmp_path: Path) -> None:
    target = tmp_path / "all.csv"

    assert shared("results", "--export", "csv", "--bom", "-o", target).exit_code == 0

    assert target.read_bytes().startswith(b"\xef\xbb\xbfmedia_id,")
    with target.open(encoding="utf-8", newline="") as stream:
        assert "look.png" in {row["filename"] for row in read_csv(stream)}
    assert "goes with --export csv" in shared("results", "--bom").output


def test_an_export_is_in_its_file_whole_or_not_at_all(shared: Tagger, tmp_path: Path) -> None:
    target = tmp_path / "all.jsonl"

    assert shared("results", "--export", "json", "--output", target).exit_code == 0

    written = [json.loads(line) for line in target.read_text().splitlines()]
    assert {one["filename"] for one in written} == {"look.png", "broken.jpg"}
    assert not list(tmp_path.glob("*.part"))


def test_a_page_is_exported_with_its_pictures_inside(shared: Tagger, tmp_path: Path) -> None:
    page = tmp_path / "page.html"

    assert shared("results", "--export", "html", "-o", page).exit_code == 0

    text = page.read_text()
    assert "look.png" in text
    assert "data:image/" in text


def test_a_mistyped_data_folder_is_an_error_and_is_not_made(tagger: Tagger, data_dir: Path) -> None:
    result = tagger("results")

    assert "there is no data folder" in str(result.exception)
    assert not data_dir.exists()
