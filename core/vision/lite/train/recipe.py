"""What one training run is made of. Three recipes share all code and differ in these values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.vision.lite.train.photos import Photo


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one run; all randomness follows from ``seed``.

    Attributes:
        name: how the command line calls it.
        degrade: whether training views are shrunk and JPEG-compressed now and then.
        extra: whether photos of the seven further garment names take part.
        drawn: whether garments drawn by code take part.
        hold_out: whether a fifth of all senders is kept away, to measure on strangers.
        epochs: passes of the fine-tuning over the photos.
        dense_epochs: passes of the dense head over the composites.
        composites: pictures of several garments to train on.
        singles: photos of one garment to train the dense head on.
        empties: pictures without any garment to train the dense head on.
    """

    name: str
    degrade: bool = True
    extra: bool = True
    drawn: bool = True
    hold_out: bool = False
    seed: int = 0
    epochs: int = 3
    dense_epochs: int = 4
    composites: int = 1800
    singles: int = 1200
    empties: int = 300

    def trains_on(self, photo: Photo) -> bool:
        """Whether a photo belongs to this recipe's training set."""
        if self.hold_out and photo.held_out:
            return False
        if photo.split == "train":
            return True
        return photo.split == "extra" and self.extra and bool(photo.admitted.any())


SHIPPED = Recipe("shipped")
PLAIN = replace(
    SHIPPED,
    name="plain",
    degrade=False,
    extra=False,
    drawn=False,
    epochs=4,
    dense_epochs=6,
    composites=1600,
    singles=1100,
    empties=150,
)
HELD_OUT = replace(SHIPPED, name="held-out", hold_out=True, epochs=2, composites=1200, singles=800)

RECIPES = {recipe.name: recipe for recipe in (SHIPPED, PLAIN, HELD_OUT)}
