"""What the lite profile has words for: fine labels, their categories, and the phrases they answer.

The network knows no language. A prompt is read phrase by phrase and mapped to the categories it
covers; what maps to none is reported as unsupported instead of being searched for in vain.
"""

from __future__ import annotations

import re
from typing import Final

from core.vision.prompt import phrases

CATEGORIES: Final = ("topwear", "outerwear", "bottomwear", "dress", "footwear", "headwear")

CATEGORY_OF: Final[dict[str, str]] = {
    "dress": "dress",
    "hat": "headwear",
    "longsleeve": "topwear",
    "outwear": "outerwear",
    "pants": "bottomwear",
    "shirt": "topwear",
    "shoes": "footwear",
    "shorts": "bottomwear",
    "skirt": "bottomwear",
    "t-shirt": "topwear",
}
"""Fine label to category. The order is the order of the network's columns."""

LABELS: Final = tuple(CATEGORY_OF)

_WORDS: Final[dict[str, str]] = {
    "topwear": (
        "topwear top shirt t-shirt tshirt tee longsleeve long-sleeve blouse polo sweater jumper "
        "pullover sweatshirt hoodie hoody cardigan tank undershirt singlet camisole tunic "
        "turtleneck vest henley"
    ),
    "outerwear": (
        "outerwear outwear jacket coat blazer parka anorak windbreaker trenchcoat trench overcoat "
        "raincoat gilet poncho cape bomber"
    ),
    "bottomwear": (
        "bottomwear bottom pants pant trouser trousers jeans jean chinos leggings legging joggers "
        "sweatpants slacks culottes shorts short skirt miniskirt bermudas"
    ),
    "dress": "dress gown sundress jumpsuit romper frock",
    "footwear": (
        "footwear shoe shoes sneaker sneakers boot boots sandal sandals heel heels loafer loafers "
        "trainers pumps slippers flip-flops"
    ),
    "headwear": "headwear hat cap beanie beret fedora headgear bonnet",
}

_EVERYTHING: Final = frozenset(
    {"clothing", "clothe", "garment", "apparel", "outfit", "fashion", "wear", "item", "attire"}
)


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


_CATEGORY_OF_WORD: Final[dict[str, str]] = {
    form: category
    for category, words in _WORDS.items()
    for word in words.split()
    for form in (word, _singular(word))
}


def categories_of(phrase: str) -> frozenset[str]:
    """The categories one phrase covers, possibly none.

    The last word that names a garment decides, as the noun comes last: ``"dress shoes"`` are
    footwear, ``"shirt dress"`` is a dress.
    """
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", phrase.lower())
    for word in reversed(words):
        for form in (word, _singular(word), word.removesuffix("es"), word.replace("-", "")):
            if form in _CATEGORY_OF_WORD:
                return frozenset({_CATEGORY_OF_WORD[form]})
            if form in _EVERYTHING:
                return frozenset(CATEGORIES)
    return frozenset()


def wanted(prompt: str) -> frozenset[str]:
    """The categories a prompt asks for; an empty prompt asks for all of them."""
    asked = phrases(prompt)
    if not asked:
        return frozenset(CATEGORIES)
    return frozenset().union(*(categories_of(phrase) for phrase in asked))


def unsupported(prompt: str) -> tuple[str, ...]:
    """The phrases of a prompt that name nothing this profile knows."""
    return tuple(phrase for phrase in phrases(prompt) if not categories_of(phrase))
