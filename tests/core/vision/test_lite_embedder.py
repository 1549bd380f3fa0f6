"""Vectors follow the garment, not what lies around it."""

from __future__ import annotations

import numpy as np

from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.port import Crop
from tests.core.vision.drawings import DRESS, TROUSERS, drawn


def test_a_masked_garment_is_the_same_on_any_ground(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)
    light, dark = drawn(DRESS, ground=(240, 240, 240)), drawn(DRESS, ground=(20, 60, 20))
    mask = (light != light[0, 0]).any(axis=2)

    vectors = embedder.embed([Crop(light, mask), Crop(dark, mask)])

    assert vectors[0] @ vectors[1] > 0.999


def test_different_garments_stay_below_the_match_threshold(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)

    vectors = embedder.embed([Crop(drawn(DRESS), None), Crop(drawn(TROUSERS), None)])

    assert vectors[0] @ vectors[1] < embedder.match_threshold


def test_a_crop_without_a_mask_or_with_an_empty_one_is_embedded_whole(
    network: LiteNetwork,
) -> None:
    embedder, image = LiteEmbedder(network), drawn(DRESS)

    vectors = embedder.embed([Crop(image, None), Crop(image, np.zeros(image.shape[:2], bool))])

    assert np.array_equal(vectors[0], vectors[1])


def test_thresholds_are_cosines_and_ordered(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)
    within, across, catalog = embedder.duplicate_thresholds

    assert 0 < embedder.match_threshold < 1
    assert 0 < across <= 1
    assert within <= catalog < 1
    assert embedder.dim == 256
