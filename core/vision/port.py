"""What a vision profile must offer: find items, cut them out, turn them into vectors.

A profile is three models behind three small protocols, and a fourth where words can be searched
for. Stages own batching, I/O and retries; a model only computes, on the thread it is called from,
and may keep no state between calls.
Making one is cheap and says what it is (version, thresholds) on any host; ``load`` makes it ready,
and refuses with SettingsError a host that lacks its device or weights.

Images are ``(h, w, 3) uint8`` RGB arrays, upright. Boxes are ``(x0, y0, x1, y1)`` in pixels of
the image, ``x1`` and ``y1`` exclusive. Masks are ``(h, w) bool`` and cover a box, because a large
frame may hold many items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from core.events import Box, Vectors
from core.vision.hint import Hint

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detection:
    """One item as a detector sees it.

    Attributes:
        label: the word a reader sees, e.g. ``"t-shirt"``.
        category: the coarse class it belongs to, e.g. ``"topwear"``; duplicates are judged by it.
        score: confidence, 0 to 1.
        box: xyxy pixels.
        hint: a first mask, if the detector has one.
    """

    label: str
    category: str
    score: float
    box: Box
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One item cut out: the detection, with label, score and box as the pixels settled them.

    Attributes:
        mask: ``(h, w) bool`` of the box's whole pixels, see
            :func:`~core.vision.boxes.whole_pixels`; None from a profile that cuts nothing out.
    """

    label: str
    category: str
    score: float
    box: Box
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Crop:
    """What an embedder is given: an item's box crop and the mask inside it.

    Attributes:
        image: ``(h, w, 3) uint8`` RGB, the pixels inside the box.
        mask: ``(h, w) bool``, or None where masking is off.
    """

    image: Image
    mask: Mask | None


class Detector(Protocol):
    """Finds items in images."""

    @property
    def version(self) -> str:
        """Model ids, weights hash and thresholds: whatever changes the outcome changes this."""
        ...

    def load(self) -> None:
        """Makes it ready; a second time does nothing. Raises SettingsError."""
        ...

    def unsupported(self, prompt: str) -> tuple[str, ...]:
        """The phrases of ``prompt`` that this profile cannot look for; a note, not an error."""
        ...

    def detect(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Detection]]:
        """The items of each image, one prompt an image (period-separated; "" is the default)."""
        ...


class Segmenter(Protocol):
    """Cuts detected items out of their images."""

    @property
    def version(self) -> str: ...

    def load(self) -> None: ...

    def segment(
        self, images: Sequence[Image], detections: Sequence[Sequence[Detection]]
    ) -> list[list[Instance]]:
        """One list of instances an image; an item whose mask comes out empty is left out."""
        ...


class DuplicateThresholds(NamedTuple):
    """Cosines from which two items are the same.

    Attributes:
        within: in one medium, of one category.
        across: in one medium, of different categories.
        catalog: between catalog pictures.
    """

    within: float
    across: float
    catalog: float


class Embedder(Protocol):
    """Turns crops into vectors whose dot product is their similarity.

    Similarity thresholds belong to the embedder, because a cosine of 0.85 means something else in
    every vector space.
    """

    @property
    def version(self) -> str: ...

    def load(self) -> None: ...

    @property
    def dim(self) -> int: ...

    @property
    def match_threshold(self) -> float:
        """Cosine from which a catalog product counts as a match."""
        ...

    @property
    def duplicate_thresholds(self) -> DuplicateThresholds:
        """Cosines from which items count as duplicates."""
        ...

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        """``(n, dim) float32``, L2-normalised, in the order of ``crops``."""
        ...


class TextEmbedder(Protocol):
    """Turns words into vectors of the space that the profile's embedder turns crops into."""

    def load(self) -> None: ...

    def embed(self, phrases: Sequence[str]) -> Vectors:
        """``(n, dim) float32``, L2-normalised, in the order of ``phrases``."""
        ...


@dataclass(frozen=True, slots=True)
class Profile:
    """The models that work together, not loaded yet, and what they cannot do.

    Attributes:
        name: as settings choose it.
        limits: sentences for those who rely on it.
        text: None where the profile knows pictures alone; ``limits`` says so, too.
    """

    name: str
    detector: Detector
    segmenter: Segmenter
    embedder: Embedder
    limits: tuple[str, ...]
    text: TextEmbedder | None = None
