from __future__ import annotations

import json
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
