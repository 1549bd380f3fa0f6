"""Turns garments into vectors of 256 numbers."""

from __future__ import annotations

from collections.abc import Sequence

from core.vision.lite.network import LiteNetwork
from core.vision.port import Crop, Vectors


class LiteEmbedder:
    """The network's embedding of the masked item on white, with the thresholds that fit it."""

    def __init__(self, network: LiteNetwork) -> None:
        """Share ``network`` with the other two parts of the profile."""
        self._network = network

    @property
    def version(self) -> str:
        """The weights."""
        return self._network.version

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
    def duplicate_thresholds(self) -> tuple[float, float, float]:
        """Within a category, across categories, in the catalog."""
        thresholds = self._network.card.thresholds
        return thresholds.dup_within, thresholds.dup_across, thresholds.dup_catalog

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        """``(n, 256) float32``, L2-normalised; a crop without a mask is embedded whole."""
        vectors, _ = self._network.crop_heads([(crop.image, crop.mask) for crop in crops])
        return vectors
