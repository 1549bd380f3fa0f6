from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.infra.cli.conftest import Tagger, lines
from tests.infra.running.standin_engine import write_product
from tests.vision_standin import png


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    for number, paint in enumerate(("red", "green", "blue", "purple"), start=1):
        write_product(tmp_path / "catalog", number, paint)
    return tmp_path / "catalog"


def uploads(tagger: Tagger) -> int:
    return len(lines(tagger("topics", "tail", "media.uploaded", "--json")))


@pytest.mark.usefixtures("beside")
def test_products_are_searchable_when_it_returns(
    tagger: Tagger, catalog: Path, tmp_path: Path
) -> None:
    result = tagger("catalog", "add", catalog, "--json")

    assert result.exit_code == 0, result.output
    (summary,) = lines(result)
    assert (summary["products"], summary["added"], summary["items"]) == (4, 4, 4)
    look = tmp_path / "look.png"
    look.write_bytes(png("green"))
    (tagged,) = lines(tagger("submit", look, "--wait", "--json"))
    (match,) = tagged["items"][0]["matches"]
    assert match["product_id"] == "2"
    assert match["payload"]["title"] == "The green one"
    assert match["payload"]["price"] == "2"


@pytest.mark.usefixtures("beside")
def test_a_second_time_nothing_is_done(tagger: Tagger, catalog: Path) -> None:
    tagger("catalog", "add", catalog)
    before = uploads(tagger)

    (summary,) = lines(tagger("catalog", "add", catalog, "--json"))

    assert (summary["added"], summary["unchanged"], summary["items"]) == (0, 4, 4)
    assert uploads(tagger) == before


@pytest.mark.usefixtures("beside")
def test_a_touched_picture_is_no_news(tagger: Tagger, catalog: Path) -> None:
    tagger("catalog", "add", catalog)
    before = uploads(tagger)
    picture = catalog / "product_1" / "1_000.png"
    picture.write_bytes(picture.read_bytes())

    result = tagger("catalog", "add", catalog, "--json")

    assert result.exit_code == 0
    assert uploads(tagger) == before


@pytest.mark.usefixtures("beside")
def test_what_the_shop_says_anew_of_a_product_is_served(
    tagger: Tagger, catalog: Path, tmp_path: Path
) -> None:
    tagger("catalog", "add", catalog)
    write_product(catalog, 1, "red", '{"title": "Now cheaper", "price_display_amount": 0.5}')

    (summary,) = lines(tagger("catalog", "add", catalog, "--json"))

    assert (summary["added"], summary["unchanged"]) == (1, 3)
    look = tmp_path / "look.png"
    look.write_bytes(png("red"))
    (tagged,) = lines(tagger("submit", look, "--wait", "--json"))
    (match,) = tagged["items"][0]["matches"]
    assert (match["payload"]["title"], match["payload"]["price"]) == ("Now cheaper", "0.5")


@pytest.mark.usefixtures("beside")
def test_bad_pictures_and_infos_are_named_and_cost_the_others_nothing(
    tagger: Tagger, catalog: Path
) -> None:
    (catalog / "product_1" / "bad.jpg").write_bytes(b"no picture")
    (catalog / "product_2" / "product_info.json").write_text("{")
    (catalog / "product_3" / "plain.png").write_bytes(png())

    result = tagger("catalog", "add", catalog, "--json")

    assert result.exit_code == 1
    (summary,) = lines(result)
    failed = {Path(one["file"]).name: one["reason"] for one in summary["failed"]}
    assert set(failed) == {"bad.jpg", "product_info.json"}
    assert "not a picture" in failed["bad.jpg"]
    assert "not JSON" in failed["product_info.json"]
    assert [Path(path).name for path in summary["without_items"]] == ["plain.png"]
    assert summary["items"] == 3


@pytest.mark.usefixtures("beside")
def test_products_that_cannot_be_carried_on_are_named_and_the_shop_goes_in(
    tagger: Tagger, catalog: Path
) -> None:
    bad = {
        "product_11": b'{"title": "Tee \\ud83d"}',
        "product_12": b'{"compare_at_price": NaN}',
        "product_13": b'{"options": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        "product_14": b'{"title": {"en": "Tee"}}',
        os.fsdecode(b"product_\xff"): b"{}",
    }
    for name, written in bad.items():
        (catalog / name).mkdir()
        (catalog / name / "1.png").write_bytes(png("red"))
        (catalog / name / "product_info.json").write_bytes(written)
    odd = catalog / os.fsdecode(b"winter\xfe") / "product_40"
    odd.mkdir(parents=True)
    (odd / os.fsdecode(b"\xfd.png")).write_bytes(png("green"))
    (catalog / "tee").mkdir()
    (catalog / "tee" / "1.png").write_bytes(png("blue"))
    (catalog / "tee" / "product_info.json").write_bytes('{"product_id": 0}'.encode("utf-16"))

    first = tagger("catalog", "add", catalog, "--json")
    again = tagger("catalog", "add", catalog, "--json")
    people = tagger("catalog", "add", catalog)

    assert (first.exit_code, again.exit_code, people.exit_code) == (1, 1, 1)
    ((told,), (repeated,)) = lines(first), lines(again)
    assert (told["products"], told["added"], told["items"]) == (6, 6, 6)
    assert (repeated["added"], repeated["unchanged"]) == (0, 6)
    assert len(told["failed"]) == len(bad)
    for name in ("product_11", "product_12", "product_13", "product_14", "product_\ufffd"):
        assert any(name in one["file"] for one in told["failed"]), name
        assert name in people.output


def test_what_is_odd_about_a_shop_is_told_and_no_failure(
    tagger: Tagger, catalog: Path, beside: None
) -> None:
    (catalog / "tee").mkdir()
    (catalog / "tee" / "1.png").write_bytes(png("black"))
    (catalog / "tee" / "product_info.json").write_text('{"product_id": 1}')
    (catalog / "round").symlink_to(".")
    (catalog / "product_30").mkdir()
    (catalog / "campaign.jpg").write_bytes(png("red"))

    result = tagger("catalog", "add", catalog, "--json")

    assert result.exit_code == 0, result.output
    (told,) = lines(result)
    assert told["same_id"] == {"1": [str(catalog / "product_1"), str(catalog / "tee")]}
    assert told["without_pictures"] == [str(catalog / "product_30")]
    assert [one["file"] for one in told["left_out"]] == [str(catalog / "round")]
    assert told["loose"] == 1
    text = tagger("catalog", "add", catalog).output
    assert "1 claimed as id by several folders" in text
    assert str(catalog / "round") in text


def test_a_folder_without_products_is_an_error_that_says_what_is_wanted(
    tagger: Tagger, tmp_path: Path
) -> None:
    result = tagger("catalog", "add", tmp_path)

    assert "product_<id>" in str(result.exception)
