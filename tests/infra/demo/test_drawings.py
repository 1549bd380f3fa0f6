from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from core.events import Box
from infra.demo.catalog import write_catalog
from infra.demo.drawing.draw import draw
from infra.demo.drawing.scene import Scene, paint
from infra.demo.media import write_media
from infra.demo.plan import PICTURES, TAKES
from infra.demo.shop.products import CATALOG
from infra.demo.shop.wardrobe import wardrobe
from infra.demo.truth import MediumTruth

Drawn = tuple[Path, tuple[MediumTruth, ...]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    write_catalog(folder)
    return folder


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("media")
    return folder, write_media(folder)


def _scenes() -> list[Scene]:
    return [picture.scene for picture in PICTURES] + [take.scene for take in TAKES]


def _decoded(path: Path) -> list[tuple[float, npt.NDArray[np.uint8]]]:
    """Times in ms and small grey frames."""
    with av.open(str(path)) as container:
        return [
            (
                float(frame.time) * 1000,
                np.asarray(frame.reformat(160, 120, "gray").to_ndarray(), np.uint8),
            )
            for frame in container.decode(video=0)
        ]


def test_the_same_garment_is_drawn_the_same_twice() -> None:
    garment = CATALOG[5].garment()

    assert np.array_equal(draw(garment).pixels, draw(garment).pixels)


def test_no_two_products_look_alike() -> None:
    small = {
        product: cv2.resize(sprite.pixels, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
        for product, sprite in wardrobe().items()
    }

    assert len(small) == len(CATALOG)
    assert all(np.abs(a - b).mean() > 5 for a, b in combinations(small.values(), 2))


def test_a_garment_fits_into_its_square() -> None:
    for sprite in wardrobe().values():
        opacity = sprite.pixels[..., 3]
        border = np.concatenate([opacity[0], opacity[-1], opacity[:, 0], opacity[:, -1]])

        assert border.max() == 0
        assert (opacity > 127).mean() > 0.1


def test_a_product_s_folder_holds_picture_and_info(shop: Path) -> None:
    folders = sorted(folder.name for folder in shop.iterdir())
    info = json.loads((shop / "product_48201" / "product_info.json").read_text("utf-8"))

    assert folders == sorted(f"product_{item.id}" for item in CATALOG)
    assert Image.open(shop / "product_48201" / "48201_000.jpg").format == "JPEG"
    assert set(info) == {
        "product_id",
        "title",
        "description",
        "product_type",
        "alias",
        "mrp",
        "price_display_amount",
        "discount_percentage",
        "product_tags",
        "product_collections",
    }
    assert info["product_id"] == "48201"
    assert info["discount_percentage"] == "25"
    assert all(isinstance(value, str) for value in info.values())


def test_every_product_is_shown_in_some_medium(media: Drawn) -> None:
    shown = {
        one.product_id for medium in media[1] for shot in medium.shots for one in shot.garments
    }

    assert shown == {item.id for item in CATALOG}


def test_pictures_are_as_large_as_their_truth_says(media: Drawn) -> None:
    folder, truth = media

    for medium in truth[:-1]:
        assert Image.open(folder / medium.filename).size == (medium.width, medium.height)


def test_pictures_are_drawn_the_same_twice(media: Drawn) -> None:
    folder, _ = media
    picture = PICTURES[1]

    again = folder / "again.jpg"
    Image.fromarray(paint(picture.scene, wardrobe()).image).save(again, quality=picture.quality)

    assert again.read_bytes() == (folder / picture.filename).read_bytes()


def test_garments_of_a_scene_lie_apart_and_inside() -> None:
    for scene in _scenes():
        boxes = [shown.box for shown in paint(scene, wardrobe()).garments]

        for x0, y0, x1, y1 in boxes:
            assert 0 < x0 < x1 < scene.width
            assert 0 < y0 < y1 < scene.height
        for a, b in combinations(boxes, 2):
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


def test_a_box_encloses_what_was_painted_and_little_more() -> None:
    scene = PICTURES[0].scene
    bare = paint(Scene(scene.width, scene.height, scene.surface, (), scene.light, scene.seed), {})

    still = paint(scene, wardrobe())

    change = np.abs(still.image.astype(int) - bare.image.astype(int)).max(axis=2)
    for shown in still.garments:
        x0, y0, x1, y1 = (int(side) for side in shown.box)
        inner = change[y0:y1, x0:x1] > 60
        rows, columns = inner.any(axis=1), inner.any(axis=0)
        assert inner.mean() > 0.25
        for line in (rows, columns):
            edge = len(line) // 20 + 1
            assert line[:edge].any()
            assert line[-edge:].any()


def test_the_film_is_as_long_and_as_fast_as_its_truth_says(media: Drawn) -> None:
    folder, truth = media
    film = truth[-1]

    with av.open(str(folder / film.filename)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (film.width, film.height)
        assert stream.average_rate == 24
    assert len(_decoded(folder / film.filename)) == 24 * film.shots[-1].end_ms // 1000


def test_the_film_cuts_where_its_truth_says_and_nowhere_else(media: Drawn) -> None:
    folder, truth = media
    frames = _decoded(folder / truth[-1].filename)

    jumps = [
        time
        for (_, before), (time, after) in pairwise(frames)
        if np.abs(after.astype(int) - before.astype(int)).mean() > 15
    ]

    starts = [shot.start_ms for shot in truth[-1].shots[1:]]
    assert len(jumps) == len(starts) == 3
    assert jumps == pytest.approx(starts, abs=1000 / 24)


def test_the_camera_moves_and_keeps_every_garment_in_view(media: Drawn) -> None:
    film = media[1][-1]

    for shot in film.shots:
        assert shot.first != shot.last
        for time in np.linspace(shot.start_ms, shot.end_ms, 9):
            for _, box in shot.boxes(time, film.width, film.height):
                assert _within(box, film.width, film.height)


def _within(box: Box, width: int, height: int) -> bool:
    return 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
