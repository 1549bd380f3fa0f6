"""The weights' identity card: what they know, how good they are, which thresholds fit them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from pydantic import BaseModel, ConfigDict

WEIGHTS: Final = "lite.onnx"

LIMITS: Final = (
    "six categories: no bags, wristwear or accessories; prompts choose among the six",
    "made for product photos and one clearly visible person; weak on crowds and hidden people",
    "a dress or outerwear on a person is a guess, headwear on a person is not looked for",
    "similarity is visual: the very same product in a shop and in the street is unproven",
    "it knows pictures alone: no words can be searched for",
)
"""What a user of these weights should know before relying on them."""


class Thresholds(BaseModel):
    """Cut-offs calibrated with the weights; they mean nothing for other weights.

    Attributes:
        detect: least detection score, 0 to 1.
        match: cosine from which a catalog product is a match.
        dup_within: cosine from which two items of one category are the same.
        dup_across: the same for items named differently.
        dup_catalog: the same between catalog pictures.
    """

    model_config = ConfigDict(frozen=True)

    detect: float
    match: float
    dup_within: float
    dup_across: float
    dup_catalog: float


class Card(BaseModel):
    """What ``card.json`` says.

    Attributes:
        name: recipe the weights were made with.
        labels: fine labels, in the order of the classifier's columns.
        dim: length of a vector.
        sha256: hex digest of ``lite.onnx``.
        thresholds: cut-offs that belong to these weights.
        metrics: measured quality, by name; the model card explains the names.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    labels: tuple[str, ...]
    dim: int
    sha256: str
    thresholds: Thresholds
    metrics: dict[str, float]

    @property
    def version(self) -> str:
        """Changes with the weights; vectors of one version meet no others."""
        return f"lite-{self.sha256[:12]}"


def digest(weights: bytes) -> str:
    """SHA-256 of weights, in hex."""
    return hashlib.sha256(weights).hexdigest()


@cache
def shipped_card() -> Card:
    """The card in the package."""
    return Card.model_validate_json(_folder().joinpath("card.json").read_bytes())


def shipped_weights() -> bytes:
    """The network in the package; about 8 MB."""
    return _folder().joinpath(WEIGHTS).read_bytes()


def _folder() -> Traversable:
    return files("core.vision.lite").joinpath("weights")
