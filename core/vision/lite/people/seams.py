"""Where garments on people join the lite detector.

The dense head was trained on garments lying or hanging alone; garments somebody wears are found
by pose models behind ``PeopleFinder``. Both share one network: the finder names what it cuts out
with the same crop heads that name everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from core.events import Box, Vectors
from core.vision.hint import Hint
from core.vision.port import Image, Mask

Part = Literal["top", "bottom", "dress", "footwear"]
"""The region of a body a garment covers, as the pose models see it."""


class CropHeads(Protocol):
    """The part of the network that looks at one cut-out item."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The fine labels, in the order of the columns of ``prob``."""
        ...

    def crop_heads(
        self, crops: Sequence[tuple[Image, Mask | None]]
    ) -> tuple[Vectors, npt.NDArray[np.float32]]:
        """Embed and classify crops.

        Args:
            crops: ``(h, w, 3) uint8`` RGB pictures, each with its ``(h, w) bool`` mask or None;
                what lies outside the mask is painted white.

        Returns:
            ``(n, 256) float32`` L2-normalised vectors, and ``(n, len(labels)) float32``
            probabilities.
        """
        ...


@dataclass(frozen=True, slots=True)
class PersonGarment:
    """A garment somebody wears.

    Attributes:
        box: xyxy pixels of the image.
        hint: its mask, which is settled: the segmenter takes what is over a half as it stands,
            because a cut that knows the body knows more than one that only knows colours.
        part: the body region it covers.
        label: fine label, one of the vocabulary's.
        category: the label's coarse category.
        score: confidence, 0 to 1.
        body: xyxy pixels of the whole person, shoes included; what the dense head sees inside it
            is this person again.
    """

    box: Box
    hint: Hint
    part: Part
    label: str
    category: str
    score: float
    body: Box


class PeopleFinder(Protocol):
    """Finds dressed people and cuts their clothes out."""

    @property
    def version(self) -> str:
        """Hashes and thresholds: whatever changes the outcome changes this."""
        ...

    def load(self) -> object:
        """Makes it ready for its first image; raises SettingsError."""
        ...

    def find(self, image: Image, heads: CropHeads) -> list[PersonGarment]:
        """The garments of all people in one ``(h, w, 3) uint8`` RGB image; often none."""
        ...
