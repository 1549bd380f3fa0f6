"""One grammar of prompts for every profile."""

from __future__ import annotations

import pytest

from core.vision.prompt import phrases


def test_periods_and_line_ends_part_phrases_which_keep_their_order() -> None:
    assert phrases("skirt. hat.\nbag") == ("skirt", "hat", "bag")


def test_case_and_spaces_make_no_difference() -> None:
    assert phrases("  Red \t DRESS .t-Shirt") == ("red dress", "t-shirt")


@pytest.mark.parametrize("prompt", ["", " ", ".", " . \n . "])
def test_a_prompt_without_words_has_no_phrases(prompt: str) -> None:
    assert phrases(prompt) == ()
