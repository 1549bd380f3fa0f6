"""Bars on real pictures of people, which are not ours to ship: name a folder to run this.

``TAGGER_TEST_PEOPLE`` names a folder with pictures and a ``labels.csv``; see
``tests/bench/people_quality.py``.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.pose import PoseModels
from core.vision.lite.people.skin import learn, to_lab
from tests.bench.people_quality import Outcome, f1, measure

FOLDER = os.environ.get("TAGGER_TEST_PEOPLE", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="TAGGER_TEST_PEOPLE names no folder")


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return measure(Path(FOLDER), LiteNetwork(threads=2))


def test_categories_are_right_nine_times_in_ten(outcomes: list[Outcome]) -> None:
    assert f1(outcomes) >= 0.9


def test_nobody_is_found_twice(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        categories = Counter(garment.category for garment in outcome.found)
        assert max(categories.values(), default=1) == 1, outcome.name


def test_masks_hold_no_bare_arms_or_legs(outcomes: list[Outcome]) -> None:
    poses = PoseModels(threads=2)
    for outcome in outcomes:
        lab = to_lab(outcome.image)
        for body in poses.find(outcome.image)[:1]:
            alike = learn(lab, body).likelihood(lab)
            for garment in (g for g in outcome.found if g.part != "footwear"):  # sandals show toes
                inside = garment.hint.within((0, 0, *outcome.image.shape[1::-1])) > 0.5
                assert (alike[inside] > 0.5).mean() < 0.1, (outcome.name, garment.label)
