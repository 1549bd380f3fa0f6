"""Skin: what may be skin, one person's skin, and one hem between top and bottom."""

from __future__ import annotations

import numpy as np
import pytest

from core.vision.lite.people.anatomy import Cover, expectation
from core.vision.lite.people.hem import draw_hem
from core.vision.lite.people.skin import bareness, learn, plausible, to_lab
from core.vision.port import Image
from tests.core.vision.lite.mannequin import DARK_SKIN, HEIGHT, SKIN, WIDTH, Colour, Mannequin


def patch(colour: Colour) -> Image:
    return np.full((4, 4, 3), colour, np.uint8)


@pytest.mark.parametrize(
    "colour", [(246, 220, 200), SKIN, (190, 130, 95), (141, 85, 54), DARK_SKIN, (62, 40, 30)]
)
def test_any_tone_may_be_skin(colour: Colour) -> None:
    assert plausible(to_lab(patch(colour))).all()


@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (45, 90, 165), (60, 110, 80)]
)
def test_white_grey_blue_and_green_may_not(colour: Colour) -> None:
    assert not plausible(to_lab(patch(colour))).any()


@pytest.mark.parametrize("skin", [SKIN, DARK_SKIN])
def test_skin_is_learned_from_the_face_and_known_in_the_shade(skin: Colour) -> None:
    figure = Mannequin(skin).top((240, 240, 240)).trousers((70, 95, 130))

    model = learn(to_lab(figure.picture()), figure.body())

    darker = tuple(int(0.75 * c) for c in skin)
    assert model.pixels > 0
    assert model.likelihood(to_lab(patch(skin))).min() > 0.8
    assert model.likelihood(to_lab(patch((darker[0], darker[1], darker[2])))).min() > 0.3
    assert model.likelihood(to_lab(patch((240, 240, 240)))).max() < 0.05


def test_skin_is_learned_from_neck_and_hands_where_the_face_is_cut_off() -> None:
    figure = Mannequin().top((240, 240, 240))
    picture, body = figure.picture(), figure.body()
    picture[:88] = 255

    model = learn(to_lab(picture), body)

    assert model.pixels > 0
    assert model.likelihood(to_lab(patch(SKIN))).min() > 0.7


def test_bareness_counts_limbs_and_sees_through_beige() -> None:
    figure = Mannequin().top((240, 240, 240)).trousers((70, 95, 130))
    beige = Mannequin().top(SKIN, sleeves=True)

    bare = bareness(to_lab(figure.picture()), figure.body())
    covered = bareness(to_lab(beige.picture()), beige.body())

    assert bare.face > 0.9
    assert bare.limbs >= 4
    assert bare.trunk < 0.2
    assert covered.trunk > 0.8


def test_expectations_sum_to_one_and_know_the_body() -> None:
    expected = expectation(Mannequin().body(), WIDTH, HEIGHT)

    assert expected.shape == (len(Cover), HEIGHT, WIDTH)
    assert np.allclose(expected.sum(axis=0), 1, atol=1e-3)
    for cover, (x, y) in {
        Cover.SKIN: (150, 66),
        Cover.TOP: (150, 150),
        Cover.BOTTOM: (174, 270),
        Cover.SHOES: (184, 448),
        Cover.BACKGROUND: (10, 10),
    }.items():
        assert expected[:, y, x].argmax() == cover


def test_an_island_of_top_among_the_bottom_falls_to_the_bottom() -> None:
    body = Mannequin().body()
    shares = np.zeros((len(Cover), HEIGHT, WIDTH), np.float32)
    shares[Cover.TOP, 100:220, 110:190] = 1
    shares[Cover.BOTTOM, 220:420, 110:190] = 1
    island = np.s_[:, 260:290, 140:160]
    shares[island] = 0
    shares[(Cover.TOP, *island[1:])] = 1

    sorted_out = draw_hem(shares, body)

    assert (sorted_out[Cover.BOTTOM, 225:420, 110:190] == 1).all()
    assert (sorted_out[Cover.TOP, 100:215, 110:190] == 1).all()
    assert np.array_equal(sorted_out.sum(axis=0), shares.sum(axis=0))
