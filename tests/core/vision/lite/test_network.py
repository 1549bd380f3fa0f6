"""The network answers each picture alone, always the same, from weights it can vouch for."""

from __future__ import annotations

import numpy as np
import pytest

from core.vision.lite.card import digest, shipped_card, shipped_weights
from core.vision.lite.network import LiteNetwork
from core.vision.lite.views import letterbox, normalised
from tests.core.vision.lite.drawings import DRESS, T_SHIRT, TROUSERS, drawn

_CROPS = [(drawn(outline), None) for outline in (T_SHIRT, TROUSERS, DRESS)]


def test_the_card_belongs_to_the_weights() -> None:
    assert shipped_card().sha256 == digest(shipped_weights())


def test_weights_that_are_not_the_cards_are_refused() -> None:
    with pytest.raises(ValueError, match="not the ones"):
        LiteNetwork(threads=1, weights=b"other")


def test_no_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LiteNetwork(threads=0)


def test_the_version_names_the_weights(network: LiteNetwork) -> None:
    assert shipped_card().sha256.startswith(network.version.removeprefix("lite-"))


def test_a_batch_gives_what_each_crop_gives_alone(network: LiteNetwork) -> None:
    together, chances = network.crop_heads(_CROPS)
    alone = [network.crop_heads([crop]) for crop in _CROPS]

    assert np.array_equal(together, np.concatenate([vectors for vectors, _ in alone]))
    assert np.array_equal(chances, np.concatenate([rows for _, rows in alone]))


def test_detector_maps_of_a_batch_are_those_of_each_picture(network: LiteNetwork) -> None:
    batch = np.stack([normalised(letterbox(image).picture) for image, _ in _CROPS])

    together = network.detector_maps(batch)
    alone = [network.detector_maps(batch[i : i + 1])[0] for i in range(len(batch))]

    for a, b in zip(together, alone, strict=True):
        assert np.array_equal(a.classes, b.classes)
        assert np.array_equal(a.distances, b.distances)


def test_vectors_have_length_one_and_chances_sum_to_one(network: LiteNetwork) -> None:
    vectors, chances = network.crop_heads(_CROPS)

    assert vectors.shape == (3, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-4)


def test_no_crops_give_no_vectors(network: LiteNetwork) -> None:
    vectors, chances = network.crop_heads([])

    assert vectors.shape == (0, 256)
    assert chances.shape == (0, len(network.labels))
