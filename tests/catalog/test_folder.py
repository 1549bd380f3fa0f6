from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from catalog.folder import read_product_folders


def product(root: Path, name: str, info: object = None, *pictures: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for picture in pictures:
        (folder / picture).write_bytes(b"pixels")
    if info is not None:
        (folder / "product_info.json").write_text(json.dumps(info))
    return folder


def test_a_shops_columns_become_the_products_fields(tmp_path: Path) -> None:
    info = {
        "product_id": 7,
        "title": "Tee",
        "price_display_amount": 999,
        "product_tags": ["cotton", "summer"],
        "product_collections": "New in",
        "description": None,
        "mrp": 1299,
    }
    product(tmp_path, "product_7", info, "7_000.jpg")

    (picture,) = read_product_folders(tmp_path).pictures

    assert picture.path == tmp_path / "product_7" / "7_000.jpg"
    known = picture.product
    assert (known.id, known.name, known.title) == ("7", "product_7", "Tee")
    assert (known.price, known.tags, known.collections) == ("999", "cotton, summer", "New in")
    assert known.description == ""
    assert known.model_dump()["mrp"] == 1299


def test_without_an_info_the_folders_name_says_which_product_it_is(tmp_path: Path) -> None:
    product(tmp_path, "product_abc-1", None, "front.png", "back.webp")

    found = read_product_folders(tmp_path)

    assert found.products == 1
    assert {picture.product.id for picture in found.pictures} == {"abc-1"}
    assert [picture.path.name for picture in found.pictures] == ["back.webp", "front.png"]


def test_a_folder_with_an_info_is_a_product_whatever_its_name(tmp_path: Path) -> None:
    product(tmp_path, "shoes/boot", {"title": "Boot"}, "1.jpg")

    (picture,) = read_product_folders(tmp_path).pictures

    assert (picture.product.id, picture.product.name) == ("boot", "boot")


def test_the_folder_given_may_be_a_product_itself(tmp_path: Path) -> None:
    folder = product(tmp_path, "product_1", None, "1.jpg")

    assert len(read_product_folders(folder).pictures) == 1


def test_what_lies_deeper_or_is_hidden_or_no_picture_is_left_alone(tmp_path: Path) -> None:
    folder = product(tmp_path, "product_1", {}, "1.jpg", ".2.jpg", "3.psd", "product_info.txt")
    product(folder, "bbox_crops", None, "1_crop.png")
    product(tmp_path, ".trash/product_2", None, "2.jpg")

    found = read_product_folders(tmp_path)

    assert [picture.path.name for picture in found.pictures] == ["1.jpg"]
    assert found.ignored == {".psd": 1}


@pytest.mark.parametrize(("text", "reason"), [("{", "not JSON"), ("[1]", "no object")])
def test_a_broken_info_is_a_problem_and_leaves_only_its_product_out(
    tmp_path: Path, text: str, reason: str
) -> None:
    broken = product(tmp_path, "product_1", None, "1.jpg")
    (broken / "product_info.json").write_text(text)
    product(tmp_path, "product_2", None, "2.jpg")

    found = read_product_folders(tmp_path)

    ((path, why),) = found.problems
    assert path == broken / "product_info.json"
    assert reason in why
    assert [picture.product.id for picture in found.pictures] == ["2"]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b'{"title": "Tee \\ud83d"}', "title: holds one half of a character (U+D83D)"),
        (b'{"variants": [{"name": "\\ude00"}]}', "variants.0.name: holds one half"),
        (b'{"\\ud83d": 1}', "holds one half of a character (U+D83D)"),
        (b'{"title": "Tee \xed\xa0\xbd"}', "is not UTF-8 at byte 15"),
        ('{"title": "T\u00e9"}'.encode("latin-1"), "is not UTF-8 at byte 12: save it as UTF-8"),
        (b'{"a": NaN}', "a: JSON has no number NaN"),
        (b'{"variants": [{"price": -Infinity}]}', "variants.0.price: JSON has no number -Infinity"),
        (b'{"a": 1e999}', "a: JSON has no number Infinity"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "deeper than 64 levels"),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "deeper than 64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64 levels"),
        (b'{"a": ' + b"[" * 5000, "deeper than 64 levels"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"null", "no object"),
        (b'"text"', "no object"),
        (b'{"title": {"en": "Tee"}}', "title: is an object, and must be text or a number"),
        (b'{"title": [["Tee"]]}', "title: holds a list"),
        (b'{"title": true}', "title: is true"),
        (b'{"price": {"amount": "19.00"}}', "price: is an object"),
        (b'{"price_display_amount": {"amount": 1}}', "price_display_amount: is an object"),
        (b'{"product_tags": [{"name": "a"}, "b"]}', "product_tags: holds an object"),
        (b'{"product_id": {"gid": 1}}', "product_id: is an object, and must be text or a number"),
        (b'{"id": [1]}', "id: is a list"),
        (b'{"product_id": false}', "product_id: is false"),
    ],
)
def test_a_product_that_could_not_be_carried_on_is_named_with_the_reason_and_stops_no_other(
    tmp_path: Path, written: bytes, reason: str
) -> None:
    bad = product(tmp_path, "product_1", None, "1.jpg")
    (bad / "product_info.json").write_bytes(written)
    product(tmp_path, "product_2", {"title": "Boot"}, "2.jpg")

    found = read_product_folders(tmp_path)

    ((path, why),) = found.problems
    assert path == bad / "product_info.json"
    assert reason in why
    assert "\n" not in why
    assert [picture.product.title for picture in found.pictures] == ["Boot"]


def test_everything_that_must_be_text_and_is_not_is_named_at_once(tmp_path: Path) -> None:
    product(tmp_path, "product_1", {"title": {"en": "Tee"}, "price": {"amount": 1}}, "1.jpg")

    ((_, why),) = read_product_folders(tmp_path).problems

    assert "title: is an object" in why
    assert "price: is an object" in why


def test_an_info_that_cannot_be_opened_is_named_and_stops_no_other(tmp_path: Path) -> None:
    os.mkfifo(product(tmp_path, "product_1", None, "1.jpg") / "product_info.json")
    (product(tmp_path, "product_2", None, "2.jpg") / "product_info.json").mkdir()
    (product(tmp_path, "product_3", None, "3.jpg") / "product_info.json").symlink_to("gone")
    product(tmp_path, "product_4", None, "4.jpg")

    found = read_product_folders(tmp_path)

    assert [(path.parent.name, why) for path, why in found.problems] == [
        ("product_1", "is not a regular file"),
        ("product_2", "is not a regular file"),
        ("product_3", "No such file or directory"),
    ]
    assert [picture.product.id for picture in found.pictures] == ["4"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_an_info_is_read_in_every_unicode_that_json_was_written_in(
    tmp_path: Path, encoding: str
) -> None:
    folder = product(tmp_path, "product_1", None, "1.jpg")
    (folder / "product_info.json").write_text('{"title": "Tee \u20b9"}', encoding=encoding)

    (picture,) = read_product_folders(tmp_path).pictures

    assert picture.product.title == "Tee \u20b9"


def test_whole_emojis_and_moderate_depths_go_in(tmp_path: Path) -> None:
    info = {"title": "Tee \U0001f457", "options": [[[[{"name": "size"}]]]], "stock": 10**20}
    product(tmp_path, "product_1", info, "1.jpg")

    (picture,) = read_product_folders(tmp_path).pictures

    known = picture.product
    assert known.title == "Tee \U0001f457"
    assert known.model_dump()["options"] == [[[[{"name": "size"}]]]]
    assert type(known).model_validate_json(known.model_dump_json()) == known


def test_a_folder_whose_name_is_not_utf8_is_named_and_stops_no_other(tmp_path: Path) -> None:
    odd = os.fsdecode(b"product_\xff")
    product(tmp_path, odd, {"product_id": 9}, "1.jpg")
    product(tmp_path, "product_2", None, "2.jpg")

    found = read_product_folders(tmp_path)

    assert [(path.name, why) for path, why in found.problems] == [
        (odd, "its name is not UTF-8: rename it")
    ]
    assert [picture.product.id for picture in found.pictures] == ["2"]


@pytest.mark.parametrize("info", [{"product_id": 0}, {"id": 0}, {"product_id": "", "id": "0"}])
def test_zero_is_an_id(tmp_path: Path, info: object) -> None:
    product(tmp_path, "tee", info, "1.jpg")

    (picture,) = read_product_folders(tmp_path).pictures

    assert picture.product.id == "0"


@pytest.mark.parametrize("info", [{"product_id": None}, {"product_id": "  "}, {"id": ""}])
def test_an_id_that_says_nothing_leaves_it_to_the_folder(tmp_path: Path, info: object) -> None:
    product(tmp_path, "product_7", info, "1.jpg")

    (picture,) = read_product_folders(tmp_path).pictures

    assert picture.product.id == "7"


def test_a_column_that_is_only_called_like_ours_stands_back_behind_the_shops(
    tmp_path: Path,
) -> None:
    for name, info in {
        "product_1": {"price": 19, "price_display_amount": "from 19.00"},
        "product_2": {"price_display_amount": "from 19.00", "price": 19},
        "product_3": {"price_display_amount": None, "price": 19},
    }.items():
        product(tmp_path, name, info, "1.jpg")

    prices = [picture.product.price for picture in read_product_folders(tmp_path).pictures]

    assert prices == ["from 19.00", "from 19.00", "19"]


def test_one_id_in_two_folders_is_told_and_both_are_read(tmp_path: Path) -> None:
    product(tmp_path, "product_1", None, "1.jpg")
    product(tmp_path, "tee", {"product_id": 1}, "2.jpg")
    product(tmp_path, "boot", {"product_id": 2}, "3.jpg")

    found = read_product_folders(tmp_path)

    assert found.same_id == {"1": [tmp_path / "product_1", tmp_path / "tee"]}
    assert len(found.pictures) == 3


def test_products_without_pictures_and_pictures_without_a_product_are_told(
    tmp_path: Path,
) -> None:
    product(tmp_path, "product_1", {"title": "Tee"})
    product(tmp_path, "product_2", None, "2.jpg")
    product(tmp_path, "campaign", None, "summer.jpg", "winter.png", "plan.txt")

    found = read_product_folders(tmp_path)

    assert found.bare == [tmp_path / "product_1"]
    assert found.loose == 2
    assert found.products == 1


def test_a_picture_that_is_none_of_the_file_system_is_named(tmp_path: Path) -> None:
    folder = product(tmp_path, "product_1", None, "1.jpg")
    (folder / "2.jpg").symlink_to("gone.jpg")
    (folder / "3.jpg").symlink_to("3.jpg")
    os.mkfifo(folder / "4.jpg")
    (folder / "5.jpg").symlink_to("1.jpg")
    (folder / "6.jpg").mkdir()

    found = read_product_folders(tmp_path)

    assert [picture.path.name for picture in found.pictures] == ["1.jpg", "5.jpg"]
    assert [(path.name, why) for path, why in found.problems] == [
        ("2.jpg", "is a link that leads nowhere"),
        ("3.jpg", "Too many levels of symbolic links"),
        ("4.jpg", "is not a regular file"),
    ]


@pytest.mark.parametrize(
    "name", ["#recycle", "$RECYCLE.BIN", "lost+found", ".Trash-1000", "@Recently-Snapshot"]
)
def test_bins_and_snapshots_hold_no_products(tmp_path: Path, name: str) -> None:
    product(tmp_path, f"{name}/product_1", None, "1.jpg")
    product(tmp_path, "product_2", None, "2.jpg")

    found = read_product_folders(tmp_path)

    assert [picture.product.id for picture in found.pictures] == ["2"]
    assert found.same_id == {}


def test_linked_folders_of_products_are_read(tmp_path: Path) -> None:
    elsewhere, shop = tmp_path / "elsewhere", tmp_path / "shop"
    product(elsewhere, "tee", {"product_id": 1}, "1.jpg")
    product(elsewhere, "winter/product_2", None, "2.jpg")
    shop.mkdir()
    (shop / "product_9").symlink_to(elsewhere / "tee")
    (shop / "winter").symlink_to(elsewhere / "winter")

    found = read_product_folders(shop)

    assert [(picture.path, picture.product.id) for picture in found.pictures] == [
        (shop / "product_9" / "1.jpg", "1"),
        (shop / "winter" / "product_2" / "2.jpg", "2"),
    ]
    assert (found.problems, found.elsewhere) == ([], [])


def test_a_link_to_what_is_read_where_it_lies_is_named_and_not_read_twice(tmp_path: Path) -> None:
    product(tmp_path, "z/product_1", None, "1.jpg")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "product_1").symlink_to(tmp_path / "z" / "product_1")

    found = read_product_folders(tmp_path)

    assert [picture.path for picture in found.pictures] == [tmp_path / "z/product_1/1.jpg"]
    ((path, why),) = found.elsewhere
    assert path == tmp_path / "best" / "product_1"
    assert str(tmp_path / "z" / "product_1") in why
    assert found.same_id == {}


def test_links_that_lead_nowhere_or_in_circles_are_named_and_stop_no_other(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    product(shop, "product_1", None, "1.jpg")
    product(tmp_path, "neighbour/product_5", None, "5.jpg")
    (shop / "up").symlink_to("..")
    (shop / "round").symlink_to(".")
    (shop / "self").symlink_to("self")
    (shop / "product_7").symlink_to("/nowhere/at/all")

    found = read_product_folders(shop)

    assert [picture.product.id for picture in found.pictures] == ["1"]
    assert sorted((path.name, why) for path, why in found.problems) == [
        ("product_7", "is a link that leads nowhere"),
        ("self", "Too many levels of symbolic links"),
    ]
    assert [path.name for path, _ in found.elsewhere] == ["round", "up"]
