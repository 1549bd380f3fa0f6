"""A prompt names categories, or says which of its phrases this profile cannot look for."""

from __future__ import annotations

import pytest

from core.vision.lite import vocabulary
from core.vision.lite.vocabulary import CATEGORIES, unsupported, wanted


def test_an_empty_prompt_asks_for_everything() -> None:
    assert wanted("") == set(CATEGORIES)
    assert wanted(" . ") == set(CATEGORIES)


@pytest.mark.parametrize(
    ("phrase", "category"),
    [
        ("t-shirt", "topwear"),
        ("a red T-Shirt", "topwear"),
        ("hoodies", "topwear"),
        ("leather jacket", "outerwear"),
        ("jeans", "bottomwear"),
        ("pleated skirt", "bottomwear"),
        ("summer dresses", "dress"),
        ("shirt dress", "dress"),
        ("dress shoes", "footwear"),
        ("running sneakers", "footwear"),
        ("baseball cap", "headwear"),
    ],
)
def test_the_noun_of_a_phrase_decides(phrase: str, category: str) -> None:
    assert vocabulary.categories_of(phrase) == {category}


def test_phrases_add_up() -> None:
    assert wanted("jeans. t-shirt. sneakers.") == {"bottomwear", "topwear", "footwear"}


def test_general_words_ask_for_everything() -> None:
    assert wanted("clothes") == set(CATEGORIES)


def test_what_has_no_word_is_reported_in_order() -> None:
    assert unsupported("handbag. red dress. wrist watch.") == ("handbag", "wrist watch")
    assert wanted("handbag") == frozenset()


def test_every_label_has_a_category() -> None:
    assert set(vocabulary.CATEGORY_OF.values()) == set(CATEGORIES)
