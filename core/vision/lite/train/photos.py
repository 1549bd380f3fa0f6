"""The photos: one labelled garment each, with the sender who took them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.lite.views import resize
from core.vision.lite.vocabulary import LABELS
from core.vision.port import Image

SIDE = 320
"""Longest side photos are kept at, in pixels."""

ADMITTED: dict[str, tuple[str, ...]] = {
    **{label: (label,) for label in LABELS},
    "blazer": ("outwear",),
    "blouse": ("shirt", "longsleeve", "t-shirt"),
    "body": ("t-shirt", "longsleeve"),
    "hoodie": ("longsleeve", "outwear"),
    "polo": ("t-shirt", "shirt"),
    "top": ("t-shirt",),
    "undershirt": ("t-shirt",),
}
"""The labels of the vocabulary that are right for a photo of the given name.

Several mean that the loss rewards their sum: the photo teaches what it is not, and leaves the
choice between neighbours open.
"""

_HOLD_OUT_SHARE = 5


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo.

    Attributes:
        path: the JPEG file.
        split: ``train``, ``validation`` or ``extra``.
        label: what its sender called it; not always one of the vocabulary's labels.
        sender: who sent it. Photos of one sender share background and light.
    """

    path: Path
    split: str
    label: str
    sender: str

    @property
    def admitted(self) -> npt.NDArray[np.bool_]:
        """``(labels,) bool``: the labels that count as right; none for unknown names."""
        return np.isin(LABELS, ADMITTED.get(self.label, ()))

    @property
    def target(self) -> int:
        """The index of its label, -1 where the name does not decide one."""
        names = ADMITTED.get(self.label, ())
        return LABELS.index(names[0]) if len(names) == 1 else -1

    @property
    def held_out(self) -> bool:
        """Whether its sender is one of the fifth that the held-out recipe never trains on."""
        digest = hashlib.sha256(f"sender {self.sender}".encode()).digest()
        return digest[0] % _HOLD_OUT_SHARE == 0


@dataclass(frozen=True, slots=True)
class Album:
    """Photos with their pixels, the longest side at most ``SIDE``."""

    photos: tuple[Photo, ...]
    images: tuple[Image, ...]

    def where(self, chosen: Iterable[bool]) -> list[int]:
        """Positions of the photos for which ``chosen`` says so."""
        return [i for i, yes in enumerate(chosen) if yes]


def find_photos(data: Path) -> tuple[Photo, ...]:
    """The photos that ``labels.csv`` lists, sorted by their name.

    A photo that lies in another label's folder than the list says is left out: two opinions
    about one garment are no truth to learn from or to measure by.
    """
    with (data / "labels.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["image"])
    photos = (
        Photo(
            data / row["split"] / row["label"] / f"{row['image']}.jpg",
            row["split"],
            row["label"],
            row["sender_id"],
        )
        for row in rows
    )
    return tuple(photo for photo in photos if photo.path.is_file())


def read_photo(path: Path) -> Image:
    """``(h, w, 3) uint8`` RGB, shrunk to the album's size."""
    image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))[:, :, ::-1]
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return resize(np.ascontiguousarray(image), round(width * scale), round(height * scale))


def load_album(photos: Sequence[Photo], threads: int = 2) -> Album:
    """Read the pixels of all photos; about 0.25 MB each."""
    with ThreadPoolExecutor(threads) as pool:
        images = tuple(pool.map(read_photo, (photo.path for photo in photos)))
    return Album(tuple(photos), images)
