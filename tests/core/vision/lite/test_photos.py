"""The shipped weights on real photos, where a folder with them is named."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench.lite_quality import measure

_FOLDER = os.environ.get("TAGGER_TEST_PHOTOS", "")

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        find_spec("skimage") is None, reason="scikit-image, of the extra train, is not installed"
    ),
    pytest.mark.skipif(
        not _FOLDER, reason="TAGGER_TEST_PHOTOS names no folder with labels.csv and its photos"
    ),
]


def test_validation_photos_meet_the_bars() -> None:
    (figures,) = measure(Path(_FOLDER), [None], threads=2, strangers=False)

    assert figures["accuracy_10_whole"] >= 0.92
    assert figures["accuracy_6_whole"] >= 0.94
    assert figures["composite_recall"] >= 0.94
    assert figures["composite_precision"] >= 0.93
    assert figures["single_exactly_one"] >= 0.96
    assert figures["drawn_recall"] >= 0.85
    assert figures["false_items"] <= 0.38
    assert figures["p1_10_whole"] >= 0.858
    assert figures["p1_6_whole"] >= 0.925
    assert figures["p1_10_masked"] >= 0.845
    assert figures["p1_6_masked"] >= 0.931
