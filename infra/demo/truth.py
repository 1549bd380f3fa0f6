"""What is really in the drawn media: which product lies where, and when."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import Box


@dataclass(frozen=True, slots=True)
class View:
    """The window of a still that a camera shows: its corner and size in the still's pixels."""

    x: float
    y: float
    width: float
    height: float

    def towards(self, other: View, share: float) -> View:
        """The window that lies ``share`` (0 to 1) of the way to another."""
        return View(
            self.x + (other.x - self.x) * share,
            self.y + (other.y - self.y) * share,
            self.width + (other.width - self.width) * share,
            self.height + (other.height - self.height) * share,
        )

    def see(self, box: Box, width: int, height: int) -> Box:
        """A box of the still as it stands in a picture of that size."""
        across, down = width / self.width, height / self.height
        x0, y0, x1, y1 = box
        return (
            (x0 - self.x) * across,
            (y0 - self.y) * down,
            (x1 - self.x) * across,
            (y1 - self.y) * down,
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A product's garment in a still; ``box`` is xyxy in the still's pixels."""

    product_id: str
    box: Box


@dataclass(frozen=True, slots=True)
class Shot:
    """A still seen by a camera that moves evenly from one view to another.

    Attributes:
        start_ms, end_ms: when it is shown; a picture's only shot is 0 to 0.
        garments: what lies in the still.
        first, last: the camera's view at the start and at the end.
    """

    start_ms: int
    end_ms: int
    garments: tuple[Shown, ...]
    first: View
    last: View

    def view(self, time_ms: float) -> View:
        """What the camera shows at a time."""
        length = max(self.end_ms - self.start_ms, 1)
        share = min(max((time_ms - self.start_ms) / length, 0.0), 1.0)
        return self.first.towards(self.last, share)

    def boxes(self, time_ms: float, width: int, height: int) -> list[tuple[Shown, Box]]:
        """Each garment with its box in a frame of that time and size, pixels xyxy."""
        view = self.view(time_ms)
        return [(shown, view.see(shown.box, width, height)) for shown in self.garments]


@dataclass(frozen=True, slots=True)
class MediumTruth:
    """One drawn file: its name, the size of its pixels, and its shots in order."""

    filename: str
    width: int
    height: int
    shots: tuple[Shot, ...]

    def shot_at(self, time_ms: float) -> Shot:
        """The shot on screen at a time; past the end it is the last one."""
        for shot in self.shots:
            if time_ms < shot.end_ms:
                return shot
        return self.shots[-1]
