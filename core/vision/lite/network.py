"""The lite network as a session: one ONNX file on ONNX Runtime, two ways to ask it.

One graph holds the detector's maps and the crop heads; a run computes only what it is asked for.
Each picture is a run of its own: on a CPU a batch gains nothing, and an answer that never depends
on its neighbours is the same after a retry.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from core.events import Vectors
from core.vision.lite.card import Card, digest, shipped_card, shipped_weights
from core.vision.lite.session import open_session
from core.vision.lite.views import crop_view, normalised
from core.vision.port import Image, Mask

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Maps:
    """What the dense head says about one ``side`` x ``side`` picture, on a grid of stride 8.

    Attributes:
        classes: ``(7, g, g)`` probabilities: background, then the six categories.
        distances: ``(4, g, g)`` from a cell's centre to its garment's left, top, right and
            bottom edge, in quarters of the detector's side.
        centres: ``(g, g)`` how central the cell lies in its garment, 0 to 1.
    """

    classes: Floats
    distances: Floats
    centres: Floats


class LiteNetwork:
    """EfficientNet-Lite0 with a dense head, a classifier and an embedding."""

    def __init__(
        self,
        threads: int,
        weights: bytes | None = None,
        card: Card | None = None,
        device: str = "cpu",
    ) -> None:
        """Read the shipped weights, or others with their card; the first inference loads them.

        Args:
            threads: CPU threads one run may use, at least 1.
            weights: an ONNX file's bytes.
            card: the card of ``weights``.
            device: ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            ValueError: for less than one thread, or weights that are not the card's.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.card = card or shipped_card()
        self._weights = weights if weights is not None else shipped_weights()
        if digest(self._weights) != self.card.sha256:
            raise ValueError("these weights are not the ones the card describes")
        self._threads = threads
        self._device = device
        self._loading = threading.Lock()
        self._session: ort.InferenceSession | None = None
        self._only_asked = ort.RunOptions()
        self._only_asked.only_execute_path_to_fetches = True

    def load(self) -> ort.InferenceSession:
        """Makes it ready; a second time does nothing. Raises SettingsError without the device."""
        with self._loading:
            if self._session is None:
                self._session = open_session(self._weights, self._threads, self._device)
            return self._session

    @property
    def version(self) -> str:
        """Changes with the weights."""
        return self.card.version

    @property
    def labels(self) -> tuple[str, ...]:
        """The fine labels, in the order of the classifier's columns."""
        return self.card.labels

    def detector_maps(self, batch: Floats) -> list[Maps]:
        """The dense maps of ``(n, 3, side, side) float32`` normalised squares."""
        return [Maps(*self._run(("seg", "ltrb", "ctr"), picture)) for picture in batch]

    def crop_heads(self, crops: Sequence[tuple[Image, Mask | None]]) -> tuple[Vectors, Floats]:
        """Embed and classify crops, each an RGB picture with its mask or None.

        Returns:
            ``(n, dim) float32`` L2-normalised vectors, and ``(n, labels) float32`` probabilities.
        """
        vectors = np.empty((len(crops), self.card.dim), np.float32)
        chances = np.empty((len(crops), len(self.labels)), np.float32)
        for i, (image, mask) in enumerate(crops):
            vectors[i], chances[i] = self._run(("emb", "prob"), normalised(crop_view(image, mask)))
        return vectors, chances

    def _run(self, outputs: tuple[str, ...], picture: Floats) -> list[Floats]:
        session = self._session or self.load()
        found = session.run(list(outputs), {"x": picture[None]}, self._only_asked)
        return [np.asarray(value[0], np.float32) for value in found]
