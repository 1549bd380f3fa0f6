"""Which scenes are shown: the demo's pictures and the shots of its film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from infra.demo.drawing.scene import Light, Placed, Scene
from infra.demo.drawing.surfaces import planks, sheet, tiles, wall, wool
from infra.demo.truth import View


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo to be drawn; ``quality`` is the JPEG's, 1 to 95."""

    filename: str
    scene: Scene
    quality: int


@dataclass(frozen=True, slots=True)
class Take:
    """A shot of the film: a scene, how long it lasts (ms), and the camera's way across it.

    Views are shares of the still's width and height: left, top and width of the window.
    """

    scene: Scene
    length_ms: int
    first: tuple[float, float, float]
    last: tuple[float, float, float]

    def views(self) -> tuple[View, View]:
        """The camera's windows at the start and at the end, in the still's pixels."""
        return self._window(self.first), self._window(self.last)

    def _window(self, place: tuple[float, float, float]) -> View:
        left, top, size = place
        width, height = self.scene.width, self.scene.height
        return View(left * width, top * height, size * width, size * height)


_OAK: Final = planks((214, 178, 132), (170, 128, 84), 6)
_CARPET: Final = wool((142, 152, 160), (112, 122, 132))
_ASH: Final = planks((226, 212, 190), (188, 168, 140), 5)

PICTURES: Final[tuple[Picture, ...]] = (
    Picture(
        "weekend_flatlay.jpg",
        Scene(
            1280,
            960,
            _OAK,
            (
                Placed("48201", 0.23, 0.36, 0.60, -7),
                Placed("48207", 0.60, 0.50, 0.78, 5),
                Placed("48217", 0.86, 0.66, 0.46, -9, flip=True),
            ),
            Light(1.0, 0.03, 0.25, 2.5),
            seed=11,
        ),
        quality=90,
    ),
    Picture(
        "bed_winter_set.jpg",
        Scene(
            1200,
            900,
            sheet((214, 220, 226)),
            (
                Placed("48203", 0.29, 0.47, 0.78, 8, flip=True),
                Placed("48211", 0.74, 0.50, 0.70, -6),
            ),
            Light(0.93, -0.03, 0.3, 3.5),
            seed=12,
        ),
        quality=78,
    ),
    Picture(
        "kitchen_tiles.jpg",
        Scene(
            1280,
            960,
            tiles((222, 216, 204), (168, 160, 148), 5),
            (
                Placed("48202", 0.24, 0.36, 0.62, 4),
                Placed("48209", 0.68, 0.30, 0.52, -8),
                Placed("48215", 0.58, 0.77, 0.36, 6, flip=True),
            ),
            Light(1.06, 0.0, 0.2, 2.0),
            seed=13,
        ),
        quality=85,
    ),
    Picture(
        "hallway_hooks.jpg",
        Scene(
            960,
            1200,
            wall((206, 214, 200), (236, 234, 228)),
            (
                Placed("48219", 0.36, 0.28, 0.46, 2),
                Placed("48213", 0.64, 0.71, 0.50, -2),
            ),
            Light(0.97, 0.04, 0.3, 3.0),
            seed=14,
        ),
        quality=82,
    ),
    Picture(
        "office_monday.jpg",
        Scene(
            1280,
            960,
            _CARPET,
            (
                Placed("48205", 0.215, 0.42, 0.62, -4, flip=True),
                Placed("48208", 0.575, 0.48, 0.76, 3, flip=True),
                Placed("48218", 0.84, 0.56, 0.46, 10),
            ),
            Light(1.08, 0.02, 0.2, 3.0),
            seed=15,
        ),
        quality=70,
    ),
    Picture(
        "cabin_blanket.jpg",
        Scene(
            1000,
            800,
            wool((196, 112, 92), (156, 76, 64)),
            (
                Placed("48220", 0.33, 0.52, 0.76, -9),
                Placed("48216", 0.78, 0.42, 0.46, 12, flip=True),
            ),
            Light(1.0, -0.02, 0.25, 4.0),
            seed=16,
        ),
        quality=65,
    ),
)

FILM: Final = "spring_lookbook.mp4"

TAKES: Final[tuple[Take, ...]] = (
    Take(
        Scene(
            1120,
            840,
            sheet((128, 136, 150), 1.3),
            (
                Placed("48204", 0.31, 0.50, 0.66, -5),
                Placed("48212", 0.70, 0.50, 0.58, 6),
            ),
            Light(1.0, 0.0, 0.2, 2.0),
            seed=21,
        ),
        1750,
        (0.03, 0.04, 0.9),
        (0.07, 0.09, 0.82),
    ),
    Take(
        Scene(
            1120,
            840,
            tiles((196, 206, 204), (236, 236, 232), 4),
            (
                Placed("48210", 0.33, 0.46, 0.62, 7, flip=True),
                Placed("48217", 0.71, 0.52, 0.60, -6),
            ),
            Light(1.05, 0.03, 0.2, 2.0),
            seed=22,
        ),
        1750,
        (0.02, 0.08, 0.86),
        (0.12, 0.08, 0.86),
    ),
    Take(
        Scene(
            1120,
            840,
            _ASH,
            (
                Placed("48206", 0.32, 0.48, 0.68, 4),
                Placed("48207", 0.70, 0.50, 0.74, -5, flip=True),
            ),
            Light(0.95, 0.02, 0.25, 2.5),
            seed=23,
        ),
        1750,
        (0.05, 0.06, 0.85),
        (0.0, 0.0, 1.0),
    ),
    Take(
        Scene(
            1120,
            840,
            wall((224, 200, 190)),
            (
                Placed("48214", 0.35, 0.50, 0.76, -3),
                Placed("48218", 0.70, 0.58, 0.46, 5, flip=True),
            ),
            Light(1.0, 0.0, 0.25, 2.0),
            seed=24,
        ),
        1750,
        (0.08, 0.06, 0.84),
        (0.03, 0.1, 0.86),
    ),
)
