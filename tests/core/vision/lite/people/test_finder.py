"""Garments on people: each in its own mask, bare skin in none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from core.events import Vectors
from core.vision.lite.people.finder import BlazePoseFinder
from core.vision.lite.people.pose import Body, PoseModels
from core.vision.lite.people.seams import PersonGarment
from core.vision.lite.vocabulary import CATEGORY_OF, LABELS
from core.vision.port import Image, Mask
from tests.core.vision.lite.mannequin import DARK_SKIN, HEIGHT, SKIN, WIDTH, Colour, Mannequin

WHITE, BLACK, RED = (242, 242, 240), (30, 30, 32), (190, 40, 50)
BLUE, GREEN, DENIM = (45, 90, 165), (60, 110, 80), (70, 95, 130)


class EvenHeads:
    """Crop heads without an opinion: every label is as likely as any other."""

    labels = LABELS

    def crop_heads(
        self, crops: Sequence[tuple[Image, Mask | None]]
    ) -> tuple[Vectors, np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
        shape = (len(crops), len(LABELS))
        return np.zeros((len(crops), 256), np.float32), np.full(shape, 0.5, np.float32)


class Posed:
    """Says that these bodies were found."""

    version = "posed"

    def __init__(self, *bodies: Body, guess: Body | None = None) -> None:
        self._bodies, self._guess = list(bodies), guess

    def find(self, image: Image) -> list[Body]:
        return self._bodies

    def guess(self, image: Image) -> Body | None:
        return self._guess


@pytest.fixture(scope="module")
def poses() -> PoseModels:
    return PoseModels(threads=1)


def garments_on(figure: Mannequin) -> dict[str, PersonGarment]:
    found = BlazePoseFinder(Posed(figure.body())).find(figure.picture(), EvenHeads())
    parts: dict[str, PersonGarment] = {garment.part: garment for garment in found}
    assert len(parts) == len(found)
    return parts


def mask_of(garment: PersonGarment) -> Mask:
    """On a whole picture of the mannequin."""
    return np.asarray(garment.hint.within((0, 0, WIDTH, HEIGHT)) > 0.5)


def overlap(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("skin", [SKIN, DARK_SKIN])
@pytest.mark.parametrize(
    ("top", "bottom"), [(WHITE, DENIM), (BLACK, WHITE), (RED, BLACK), (GREEN, (200, 180, 90))]
)
def test_each_piece_has_its_own_mask_without_bare_skin(
    skin: Colour, top: Colour, bottom: Colour
) -> None:
    figure = Mannequin(skin).skirt(bottom).top(top)

    found = garments_on(figure)

    assert set(found) == {"top", "bottom"}
    masks = {part: mask_of(garment) for part, garment in found.items()}
    assert not (masks["top"] & masks["bottom"]).any()
    for part, mask in masks.items():
        assert overlap(mask, figure.worn[part]) > 0.9
        assert (mask & figure.bare()).sum() < 0.02 * mask.sum()


def test_one_colour_over_bare_legs_is_a_dress() -> None:
    figure = Mannequin().skirt(GREEN, hem=330).top(GREEN)

    found = garments_on(figure)

    assert set(found) == {"dress"}
    assert found["dress"].category == "dress"
    assert overlap(mask_of(found["dress"]), figure.worn["top"] | figure.worn["bottom"]) > 0.9


def test_one_colour_with_two_covered_legs_is_two_pieces() -> None:
    figure = Mannequin().trousers(BLACK).top(BLACK, sleeves=True)

    assert set(garments_on(figure)) == {"top", "bottom"}


def test_a_bare_midriff_parts_even_what_has_one_colour() -> None:
    figure = Mannequin().skirt(WHITE).top(WHITE, hem=180)

    assert set(garments_on(figure)) == {"top", "bottom"}


def test_bare_legs_below_the_hem_rule_out_trousers() -> None:
    found = garments_on(Mannequin().skirt(DENIM).top(WHITE))

    assert found["bottom"].label in {"skirt", "shorts"}


def test_covered_legs_are_trousers() -> None:
    found = garments_on(Mannequin().trousers(DENIM).top(WHITE))

    assert found["bottom"].label == "pants"


def test_sleeves_decide_between_short_and_long() -> None:
    short = garments_on(Mannequin().trousers(DENIM).top(RED))
    long = garments_on(Mannequin().trousers(DENIM).top(RED, sleeves=True))

    assert short["top"].label == "t-shirt"
    assert long["top"].label != "t-shirt"


def test_shoes_are_found_and_bare_feet_are_not() -> None:
    shod = garments_on(Mannequin().trousers(DENIM).top(WHITE).shoes(RED))
    barefoot = garments_on(Mannequin().trousers(DENIM).top(WHITE))

    assert shod["footwear"].category == "footwear"
    assert "footwear" not in barefoot


def test_an_open_jacket_and_the_top_under_it_are_two_garments() -> None:
    figure = Mannequin().trousers(DENIM).top(WHITE).jacket(BLACK)

    found = BlazePoseFinder(Posed(figure.body())).find(figure.picture(), EvenHeads())

    by_category = {garment.category: mask_of(garment) for garment in found}
    assert set(by_category) == {"outerwear", "topwear", "bottomwear"}
    assert overlap(by_category["outerwear"], figure.worn["jacket"]) > 0.8
    assert overlap(by_category["topwear"], figure.worn["top"]) > 0.8


def test_a_print_on_the_chest_is_no_layer() -> None:
    figure = Mannequin().trousers(DENIM).top(WHITE)
    picture = figure.picture()
    picture[130:165, 130:170] = BLACK

    found = BlazePoseFinder(Posed(figure.body())).find(picture, EvenHeads())

    assert sorted(garment.part for garment in found) == ["bottom", "top"]


def test_what_covers_the_hips_of_a_half_figure_belongs_to_the_top() -> None:
    figure = Mannequin().trousers(RED).top(RED, sleeves=True)
    body = figure.body()
    half = Body(body.points, body.visibility, body.mask[:250], body.presence, body.detection)

    found = BlazePoseFinder(Posed(half)).find(figure.picture()[:250], EvenHeads())

    assert [garment.part for garment in found] == ["top"]


def test_boxes_hold_their_masks_and_bodies_hold_the_boxes() -> None:
    for garment in garments_on(Mannequin().trousers(DENIM).top(WHITE)).values():
        ys, xs = np.nonzero(mask_of(garment))
        assert garment.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert garment.body[0] <= garment.box[0]
        assert garment.body[3] >= garment.box[3]
        assert garment.category == CATEGORY_OF[garment.label]
        assert 0 < garment.score <= 1


def test_the_same_picture_gives_the_same_masks() -> None:
    figure = Mannequin().trousers(DENIM).top(WHITE)

    first, second = garments_on(figure), garments_on(figure)

    assert first.keys() == second.keys()
    for part in first:
        assert np.array_equal(mask_of(first[part]), mask_of(second[part]))


def test_a_body_too_small_to_tell_is_left_out() -> None:
    figure = Mannequin().trousers(DENIM).top(WHITE)
    wide = cv2.copyMakeBorder(figure.picture(), 900, 0, 0, 0, cv2.BORDER_REPLICATE)
    body = figure.body()
    body.points[:, 1] += 900
    mask = np.pad(body.mask, ((900, 0), (0, 0)))
    moved = Body(body.points, body.visibility, mask, body.presence, body.detection)

    assert BlazePoseFinder(Posed(moved)).find(np.asarray(wide), EvenHeads()) == []


def test_a_doubtful_person_without_skin_is_none() -> None:
    figure = Mannequin(skin=BLUE).trousers(DENIM).top(WHITE)

    found = BlazePoseFinder(Posed(figure.body(detection=0.7))).find(figure.picture(), EvenHeads())

    assert found == []


def test_a_guess_needs_bare_limbs() -> None:
    for skin, expected in ((SKIN, 2), (GREEN, 0)):
        figure = Mannequin(skin=skin).trousers(DENIM).top(RED)
        finder = BlazePoseFinder(Posed(guess=figure.body(detection=0.0)))
        assert len(finder.find(figure.picture(), EvenHeads())) == expected


def test_the_pose_models_see_the_figure_once(poses: PoseModels) -> None:
    figure = Mannequin().trousers(DENIM).top(WHITE)

    bodies = poses.find(figure.picture())

    assert len(bodies) == 1
    assert abs(bodies[0].torso - figure.body().torso) < 0.25 * figure.body().torso
    assert overlap(bodies[0].mask > 0.5, figure.body().mask > 0.5) > 0.7


def test_drawn_people_are_dressed_end_to_end(poses: PoseModels) -> None:
    figure = Mannequin().trousers(DENIM).top(RED)

    found = BlazePoseFinder(poses).find(figure.picture(), EvenHeads())

    masks = {garment.part: mask_of(garment) for garment in found}
    assert overlap(masks["top"], figure.worn["top"]) > 0.85
    assert overlap(masks["bottom"], figure.worn["bottom"]) > 0.85


def test_two_people_keep_their_own_clothes(poses: PoseModels) -> None:
    left = Mannequin().trousers(DENIM).top(RED).picture()
    right = Mannequin(DARK_SKIN).skirt(BLACK).top(WHITE).picture()

    found = BlazePoseFinder(poses).find(np.hstack([left, right]), EvenHeads())

    tops = sorted((g for g in found if g.part == "top"), key=lambda g: g.box[0])
    assert len(tops) == 2
    assert tops[0].box[2] < 300 < tops[1].box[0]


def test_pictures_without_people_hold_none(poses: PoseModels) -> None:
    blank = np.full((320, 320, 3), 200, np.uint8)
    noise = np.random.default_rng(3).integers(0, 256, (320, 240, 3), dtype=np.uint8)
    shirt = Mannequin(skin=(205, 210, 216)).top(BLUE).picture()
    shirt[:100] = shirt[110:210, :1]
    for picture in (blank, noise, shirt):
        assert BlazePoseFinder(poses).find(picture, EvenHeads()) == []


def test_the_version_names_weights_and_thresholds(poses: PoseModels) -> None:
    assert BlazePoseFinder(poses).version.startswith("people-")
    assert poses.version in BlazePoseFinder(poses).version
