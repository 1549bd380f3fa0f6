"""Vectors follow the garment, not what lies around it."""

from __future__ import annotations

import numpy as np

from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.port import Crop
from tests.core.vision.lite.drawings import DRESS, TROUSERS, drawn


def test_a_masked_garment_matches_itself_on_any_ground(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)
    light, dark = drawn(DRESS, ground=(240, 240, 240)), drawn(DRESS, ground=(20, 60, 20))
    mask = (light != light[0, 0]).any(axis=2)

    masked = embedder.embed([Crop(light, mask), Crop(dark, mask)])
    whole = embedder.embed([Crop(light, None), Crop(dark, None)])

    assert masked[0] @ masked[1] > embedder.match_threshold
    assert masked[0] @ masked[1] > whole[0] @ whole[1]


def test_a_masked_garment_lies_halfway_between_its_two_views(network: LiteNetwork) -> None:
    image = drawn(DRESS, ground=(20, 60, 20))
    mask = (image != image[0, 0]).any(axis=2)
    views, _ = network.crop_heads([(image, mask), (image, None)])

    (vector,) = LiteEmbedder(network).embed([Crop(image, mask)])

    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)
    assert np.isclose(vector @ views[0], vector @ views[1], atol=1e-5)
    assert vector @ views[0] > views[0] @ views[1]


def test_a_batch_gives_what_each_crop_gives_alone(network: LiteNetwork) -> None:
    embedder, image = LiteEmbedder(network), drawn(DRESS)
    mask = (image != image[0, 0]).any(axis=2)
    crops = [Crop(image, mask), Crop(image, None), Crop(drawn(TROUSERS), None)]

    together = embedder.embed(crops)

    assert np.array_equal(together, np.concatenate([embedder.embed([crop]) for crop in crops]))
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_the_version_names_the_weights_and_the_way_of_looking(network: LiteNetwork) -> None:
    version = LiteEmbedder(network).version

    assert version.startswith(network.version)
    assert version != network.version


def test_different_garments_stay_below_the_match_threshold(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)

    vectors = embedder.embed([Crop(drawn(DRESS), None), Crop(drawn(TROUSERS), None)])

    assert vectors[0] @ vectors[1] < embedder.match_threshold


def test_a_crop_without_a_mask_or_with_an_empty_one_is_embedded_whole(
    network: LiteNetwork,
) -> None:
    embedder, image = LiteEmbedder(network), drawn(DRESS)

    vectors = embedder.embed([Crop(image, None), Crop(image, np.zeros(image.shape[:2], bool))])

    assert np.allclose(vectors[0], vectors[1], atol=1e-6)


def test_thresholds_are_cosines_and_ordered(network: LiteNetwork) -> None:
    embedder = LiteEmbedder(network)
    within, across, catalog = embedder.duplicate_thresholds

    assert 0 < embedder.match_threshold < 1
    assert 0 < across <= 1
    assert within <= catalog < 1
    assert embedder.dim == 256
