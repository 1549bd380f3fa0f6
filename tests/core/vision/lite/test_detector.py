"""The lite detector and segmenter, on garments drawn by code."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from core.vision.hint import Hint
from core.vision.lite.detector import LiteDetector
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.seams import CropHeads, PersonGarment
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.lite.train.measure import on_whole
from core.vision.port import Detection, Image, Instance
from tests.core.vision.lite.drawings import DRESS, T_SHIRT, TROUSERS, drawn, side_by_side


def _items(network: LiteNetwork, image: Image, prompt: str = "") -> list[Instance]:
    detections = LiteDetector(network).detect([image], [prompt])
    return LiteSegmenter(network).segment([image], detections)[0]


@pytest.mark.parametrize(
    ("outline", "category"),
    [(T_SHIRT, "topwear"), (TROUSERS, "bottomwear"), (DRESS, "dress")],
)
def test_a_drawn_garment_is_found_cut_out_and_named(
    network: LiteNetwork, outline: list[tuple[int, int]], category: str
) -> None:
    image = drawn(outline, size=(320, 300), at=(50, 40))
    truth = (image != image[0, 0]).any(axis=2)

    (item,) = _items(network, image)

    assert item.category == category
    mask = on_whole(item, image)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_two_garments_share_no_pixel(network: LiteNetwork) -> None:
    image = side_by_side()

    first, second = _items(network, image)

    assert {first.category, second.category} == {"topwear", "bottomwear"}
    assert not (on_whole(first, image) & on_whole(second, image)).any()


def test_a_prompt_restricts_what_is_found(network: LiteNetwork) -> None:
    items = _items(network, side_by_side(), "blue jeans. handbag.")

    assert [item.category for item in items] == ["bottomwear"]


def test_a_prompt_of_unknown_things_finds_nothing_and_says_why(network: LiteNetwork) -> None:
    detector = LiteDetector(network)

    assert detector.detect([side_by_side()], ["handbag"]) == [[]]
    assert detector.unsupported("handbag. skirt") == ("handbag",)


def test_images_of_a_batch_are_judged_one_by_one(network: LiteNetwork) -> None:
    detector, images = LiteDetector(network), [side_by_side(), drawn(DRESS), drawn(TROUSERS)]

    together = detector.detect(images, ["", "", ""])
    alone = [detector.detect([image], [""])[0] for image in images]

    assert [[d.box for d in found] for found in together] == [
        [d.box for d in found] for found in alone
    ]


def test_a_cut_does_not_depend_on_earlier_cuts(network: LiteNetwork) -> None:
    image = side_by_side()
    first = _items(network, image)
    cv2.setRNGSeed(12345)
    _items(network, drawn(DRESS))

    again = _items(network, image)

    assert [item.box for item in first] == [item.box for item in again]
    assert all(
        np.array_equal(on_whole(a, image), on_whole(b, image))
        for a, b in zip(first, again, strict=True)
    )


def test_opencvs_settings_are_left_alone(network: LiteNetwork) -> None:
    threads, optimised = cv2.getNumThreads(), cv2.useOptimized()

    _items(network, side_by_side())

    assert (cv2.getNumThreads(), cv2.useOptimized()) == (threads, optimised)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 400), (400, 7), (16, 16)])
def test_tiny_and_narrow_images_survive(network: LiteNetwork, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)

    for item in _items(network, image):
        assert on_whole(item, image).any()


def test_a_grey_picture_survives(network: LiteNetwork) -> None:
    grey = np.repeat(drawn(T_SHIRT).mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)

    assert [item.category for item in _items(network, grey)] == ["topwear"]


def test_a_blank_picture_holds_nothing(network: LiteNetwork) -> None:
    assert _items(network, np.full((300, 300, 3), 200, np.uint8)) == []


def test_masks_of_large_pictures_have_the_size_of_their_boxes(network: LiteNetwork) -> None:
    image = cv2.resize(drawn(T_SHIRT), (1300, 1300), interpolation=cv2.INTER_NEAREST)

    (item,) = _items(network, np.asarray(image, np.uint8))

    x0, y0, x1, y1 = item.box
    assert item.mask is not None
    assert item.mask.shape == (y1 - y0, x1 - x0)
    assert min(item.mask.shape) > 600


def test_a_detection_without_a_hint_is_cut_from_its_box(network: LiteNetwork) -> None:
    image = drawn(DRESS)
    box = (35.0, 5.0, 185.0, 215.0)

    (item,) = LiteSegmenter(network).segment([image], [[Detection("x", "dress", 0.9, box)]])[0]

    truth, mask = (image != image[0, 0]).any(axis=2), on_whole(item, image)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


class _Somebody:
    """A people finder that sees one dress, wherever it looks."""

    version = "somebody-1"

    def find(self, image: Image, heads: CropHeads) -> list[PersonGarment]:
        height, width = image.shape[:2]
        mask = np.zeros((height, width), np.float32)
        mask[10:100, 20:80] = 1
        body = (0.0, 0.0, float(width), float(height))
        box = (20.0, 10.0, 80.0, 100.0)
        hint = Hint.of(mask, (0, 0, width, height))
        return [PersonGarment(box, hint, "dress", "dress", "dress", 0.8, body)]


def test_what_a_person_wears_is_taken_from_the_people_finder(network: LiteNetwork) -> None:
    detector, image = LiteDetector(network, _Somebody()), drawn(T_SHIRT)

    detections: Sequence[Sequence[Detection]] = detector.detect([image], [""])
    (item,) = LiteSegmenter(network).segment([image], detections)[0]

    assert (item.label, item.score, item.box) == ("dress", 0.8, (20.0, 10.0, 80.0, 100.0))
    assert item.mask is not None
    assert item.mask.shape == (90, 60)
    assert item.mask.all()
    assert detector.detect([image], ["shoes"]) == [[]]


def test_the_people_finder_changes_the_version(network: LiteNetwork) -> None:
    alone, together = LiteDetector(network), LiteDetector(network, _Somebody())

    assert alone.version != together.version
    assert network.version in alone.version
