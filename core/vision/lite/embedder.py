"""Turns garments into vectors of 256 numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from core.events import Vectors
from core.vision.lite.network import LiteNetwork
from core.vision.port import Crop, DuplicateThresholds, Image, Mask

_METHOD: Final = "views2"


class LiteEmbedder:
    """The mean of two views of a garment, with the thresholds that fit it.

    One view is the masked item on white, the other the box as it lies there: a cut that lost a
    sleeve misleads the one, the ground the other. Where masking is off there is the box alone.
    """

    def __init__(self, network: LiteNetwork) -> None:
        """Share ``network`` with the other two parts of the profile."""
        self._network = network

    @property
    def version(self) -> str:
        """Weights and views: vectors of another mixture have other cosines."""
        return f"{self._network.version}+{_METHOD}"

    def load(self) -> None:
        """Makes the network ready."""
        self._network.load()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._network.card.dim

    @property
    def match_threshold(self) -> float:
        """Calibrated on validation photos; see the model card."""
        return self._network.card.thresholds.match

    @property
    def duplicate_thresholds(self) -> DuplicateThresholds:
        """Calibrated on validation photos; see the model card."""
        card = self._network.card.thresholds
        return DuplicateThresholds(card.dup_within, card.dup_across, card.dup_catalog)

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        """``(n, 256) float32``, L2-normalised; a crop without a mask is embedded whole."""
        vectors = np.empty((len(crops), self.dim), np.float32)
        for i, crop in enumerate(crops):
            seen, _ = self._network.crop_heads(_views(crop))
            mean = seen.mean(axis=0)
            vectors[i] = mean / np.linalg.norm(mean)
        return vectors


def _views(crop: Crop) -> list[tuple[Image, Mask | None]]:
    whole = (crop.image, None)
    return [whole] if crop.mask is None else [(crop.image, crop.mask), whole]
