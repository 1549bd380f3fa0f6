"""The plan of a catalog: which pictures are new, changed, known with or without a result, gone."""

from __future__ import annotations

import json
import math
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from catalog.folder import ProductPicture, read_product_folders
from catalog.stocking import Outcome, Plan, plan, stock
from core.blobs.port import Blob
from core.envelope import dump
from core.events import MediaTagged, MediaUploaded, Product, Upload
from core.intake.intake import Announced, Intake
from core.ports import Ports
from core.results.keys import result_key
from core.results.medium import KEPT_UPLOADS
from core.results.parts import Latest, PartStore
from tests.producers.engine import Engine, open_engine, photo

PLACE = "file:///shop"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = await open_engine(tmp_path / "data")
    yield engine
    await engine.close()


@pytest.fixture
def ports(engine: Engine) -> Ports:
    return Ports(engine.log, engine.state, engine.blobs)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two products, the first of which has two pictures."""
    stock_up(tmp_path / "shop" / "product_1", "1a.jpg", "1b.jpg", title="Tee", mrp=1299)
    stock_up(tmp_path / "shop" / "product_2", "2a.jpg", title="Boot")
    return tmp_path / "shop"


async def test_of_an_empty_catalog_everything_is_new(ports: Ports, shop: Path) -> None:
    made = await planned(ports, shop)

    assert submitted(made) == ["1a.jpg", "1b.jpg", "2a.jpg"]
    assert (made.underway, made.settled, made.to_do) == ([], [], 3)
    (first, *_) = made.submissions
    assert (first.purpose, first.producer, first.place) == ("catalog", "catalog", PLACE)
    assert first.product is not None
    assert first.product.title == "Tee"


async def test_what_was_announced_and_has_no_result_is_under_way(ports: Ports, shop: Path) -> None:
    await announce(ports, await planned(ports, shop))

    made = await planned(ports, shop)

    assert submitted(made) == []
    assert [path.name for path, _ in made.underway] == ["1a.jpg", "1b.jpg", "2a.jpg"]
    assert made.to_do == 3


async def test_what_has_its_result_is_settled(ports: Ports, shop: Path) -> None:
    first, *_ = await announce(ports, await planned(ports, shop))
    await answer(ports, first, root=first.root)

    made = await planned(ports, shop)

    assert [path.name for path, _ in made.settled] == ["1a.jpg"]
    assert len(made.underway) == 2


async def test_a_picture_whose_result_is_damaged_is_announced_anew(
    ports: Ports, shop: Path
) -> None:
    first, second, _ = await announce(ports, await planned(ports, shop))
    for announced in (first, second):
        await answer(ports, announced, root=announced.root)
    key = result_key(first.media_id, "p1")
    await ports.blobs.put([Blob(key, b"[]", "application/json")])

    made = await planned(ports, shop)

    assert submitted(made) == ["1a.jpg"]
    assert [path.name for path, _ in made.settled] == ["1b.jpg"]
    (after,) = await announce(ports, made)
    assert after.new


async def test_a_result_of_another_announcement_settles_nothing(ports: Ports, shop: Path) -> None:
    first, *_ = await announce(ports, await planned(ports, shop))
    await answer(ports, first, root="of-another-shop")

    made = await planned(ports, shop)

    assert made.settled == []
    assert len(made.underway) == 3


async def test_a_picture_with_other_bytes_is_announced_and_no_other(
    ports: Ports, shop: Path
) -> None:
    before = await announce(ports, await planned(ports, shop))
    (shop / "product_1" / "1b.jpg").write_bytes(photo("another picture"))

    made = await planned(ports, shop)

    assert submitted(made) == ["1b.jpg"]
    (after,) = await announce(ports, made)
    assert after.new
    assert after.media_id not in {one.media_id for one in before}


async def test_a_picture_that_was_only_touched_is_looked_at_and_says_nothing_new(
    ports: Ports, shop: Path
) -> None:
    await announce(ports, await planned(ports, shop))
    os.utime(shop / "product_1" / "1a.jpg", ns=(1, 1))

    made = await planned(ports, shop)

    assert submitted(made) == ["1a.jpg"]
    (after,) = await announce(ports, made)
    assert not after.new
    assert submitted(await planned(ports, shop)) == []


@pytest.mark.parametrize(
    "changed",
    [{"title": "T-shirt", "mrp": 1299}, {"title": "Tee", "mrp": 999}, {"title": "Tee"}],
    ids=["a field of ours", "a column of the shop's", "a column that is gone"],
)
async def test_a_product_of_which_something_else_is_known_is_announced_with_all_its_pictures(
    ports: Ports, shop: Path, changed: dict[str, object]
) -> None:
    await announce(ports, await planned(ports, shop))
    describe(shop / "product_1", **changed)

    made = await planned(ports, shop)

    assert submitted(made) == ["1a.jpg", "1b.jpg"]
    assert all(one.new and one.announcement == 2 for one in await announce(ports, made))


async def test_the_same_columns_in_another_order_change_nothing(ports: Ports, shop: Path) -> None:
    await announce(ports, await planned(ports, shop))
    describe(shop / "product_1", mrp=1299, title="Tee")

    assert submitted(await planned(ports, shop)) == []


@pytest.mark.parametrize("odd", [math.nan, math.inf, [math.nan], 1.0, -0.0, 10**30, (1, 2)])
async def test_what_compares_unlike_itself_is_told_once(
    ports: Ports, shop: Path, odd: object
) -> None:
    picture = shop / "product_1" / "1a.jpg"
    pictures = [ProductPicture(picture, Product.model_validate({"id": "1", "mrp": odd}))]
    await announce(ports, await plan(ports, PLACE, pictures))

    made = await plan(ports, PLACE, pictures)

    assert submitted(made) == []


async def test_a_picture_that_others_announced_very_often_meanwhile_is_settled(
    ports: Ports, shop: Path
) -> None:
    first, *_ = await announce(ports, await planned(ports, shop))
    others = [f"of-shop-{number}" for number in range(KEPT_UPLOADS)]
    await answer(ports, first, root=others[0], others=others[1:], count=KEPT_UPLOADS + 1)
    end = await ports.log.end_offsets([MediaUploaded.topic])
    await ports.log.set_offsets("results", end)

    made = await planned(ports, shop)

    assert [path.name for path, _ in made.settled] == ["1a.jpg"]


async def test_stocking_waits_for_no_picture_that_was_answered_long_ago(
    ports: Ports, tmp_path: Path
) -> None:
    shop = tmp_path / "small"
    stock_up(shop / "product_1", "1a.jpg")
    (first,) = await announce(ports, await planned(ports, shop))
    others = [f"of-shop-{number}" for number in range(KEPT_UPLOADS)]
    await answer(ports, first, root=others[0], others=others[1:], count=KEPT_UPLOADS + 1)
    await ports.log.set_offsets("results", await ports.log.end_offsets([MediaUploaded.topic]))
    os.utime(shop / "product_1" / "1a.jpg", ns=(1, 1))
    outcomes: dict[str, Outcome] = {}

    await stock(
        ports,
        await planned(ports, shop),
        lambda path, outcome: outcomes.update({path.name: outcome}),
    )

    assert isinstance(outcomes["1a.jpg"], MediaTagged)


async def test_a_picture_that_went_to_another_product_is_one_of_that_product(
    ports: Ports, shop: Path
) -> None:
    await announce(ports, await planned(ports, shop))
    (shop / "product_1" / "1b.jpg").rename(shop / "product_2" / "1b.jpg")

    made = await planned(ports, shop)

    (moved,) = made.submissions
    assert moved.path.name == "1b.jpg"
    assert moved.product is not None
    assert moved.product.id == "2"
    assert [path.name for path, _ in made.underway] == ["1a.jpg", "2a.jpg"]


async def test_a_picture_that_is_gone_is_no_part_of_the_plan(ports: Ports, shop: Path) -> None:
    await announce(ports, await planned(ports, shop))
    (shop / "product_1" / "1a.jpg").unlink()

    made = await planned(ports, shop)

    assert submitted(made) == []
    assert [path.name for path, _ in made.underway] == ["1b.jpg", "2a.jpg"]


async def test_a_picture_that_goes_after_the_folder_was_read_is_left_to_the_intake_to_tell(
    ports: Ports, shop: Path
) -> None:
    await announce(ports, await planned(ports, shop))
    pictures = read_product_folders(shop).pictures
    (shop / "product_1" / "1a.jpg").unlink()

    made = await plan(ports, PLACE, pictures)

    assert submitted(made) == ["1a.jpg"]
    (outcome,) = await Intake(ports).announce_many(made.submissions)
    assert isinstance(outcome, Exception)


async def test_another_catalog_knows_nothing_of_this_one(ports: Ports, shop: Path) -> None:
    await announce(ports, await planned(ports, shop))

    made = await plan(ports, "file:///another", read_product_folders(shop).pictures)

    assert len(made.submissions) == 3


def stock_up(folder: Path, *pictures: str, **info: object) -> None:
    folder.mkdir(parents=True)
    for picture in pictures:
        (folder / picture).write_bytes(photo(picture))
    describe(folder, **info)


def describe(folder: Path, **info: object) -> None:
    (folder / "product_info.json").write_text(json.dumps(info))


async def planned(ports: Ports, shop: Path) -> Plan:
    return await plan(ports, PLACE, read_product_folders(shop).pictures)


def submitted(made: Plan) -> Sequence[str]:
    return [submission.path.name for submission in made.submissions]


async def announce(ports: Ports, made: Plan) -> list[Announced]:
    outcomes = await Intake(ports).announce_many(made.submissions)
    return [outcome for outcome in outcomes if isinstance(outcome, Announced)]


async def answer(
    ports: Ports, announced: Announced, root: str, others: Sequence[str] = (), count: int = 1
) -> None:
    """Stores a result of ``count`` uploads that names the ``root`` and the others."""
    tagged = MediaTagged(
        media_id=announced.media_id,
        revision=1,
        status="complete",
        uploads=[Upload(root=one, uri=announced.uri, filename="") for one in (root, *others)],
        upload_count=count,
    )
    latest = Latest(
        revision=1, digest="", pipeline="p1", root=root, status="complete", announced=True
    )
    await PartStore(ports.state).put_latest(announced.media_id, latest)
    key = result_key(announced.media_id, "p1")
    await ports.blobs.put([Blob(key, dump(tagged), "application/json")])
