"""What a garment is made of before it is drawn: cut parts, printed ink, seams, buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.demo.drawing.fabric import Colour, Fabric, Field
from infra.demo.drawing.outline import Point, Points, flipped, moved


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of cloth; later ones lie on earlier ones and shade them.

    Attributes:
        outline: closed, garment units.
        fabric: what it is cut from.
        grain: degrees the cloth is turned by, so that a sleeve's stripes run round the arm.
        centre: where the cloth's ``u = v = 0`` lies.
        puff: height of its rounded edge, 0 for a flat one.
        relief: extra height over cloth coordinates, e.g. quilting.
    """

    outline: Points
    fabric: Fabric
    grain: float = 0.0
    centre: Point = (0.0, 0.0)
    puff: float = 1.0
    relief: Callable[[Field, Field], Field] | None = None


@dataclass(frozen=True, slots=True)
class Ink:
    """Print on the cloth below: it has colour and opacity, but no thickness."""

    outline: Points
    colour: Colour
    opacity: float = 0.94


@dataclass(frozen=True, slots=True)
class Seam:
    """A line: a groove where parts are joined, or a row of stitches.

    Attributes:
        points: open line, garment units.
        colour: of the thread; None darkens the cloth instead.
        width: garment units.
        dash: length of a stitch, garment units; 0 for an unbroken line.
    """

    points: Points
    colour: Colour | None = None
    width: float = 0.008
    dash: float = 0.0


@dataclass(frozen=True, slots=True)
class Button:
    """A button, rivet or snap; ``radius`` in garment units."""

    centre: Point
    radius: float
    colour: Colour


Layer = Part | Ink | Seam | Button


@dataclass(frozen=True, slots=True)
class Garment:
    """Layers from back to front, and how its cloth falls.

    Attributes:
        layers: back to front.
        drape: strength of the folds; 1 is a cotton shirt, 0.4 stiff leather.
        slant: degrees by which the folds lean from upright.
        seed: decides the folds and nothing else.
    """

    layers: tuple[Layer, ...]
    drape: float = 1.0
    slant: float = 0.0
    seed: int = 0


def placed(
    layers: tuple[Layer, ...], dx: float, dy: float, flip: bool = False
) -> tuple[Layer, ...]:
    """Layers mirrored at x = 0 if asked, then shifted: the second shoe of a pair."""
    side = -1 if flip else 1

    def at(point: Point) -> Point:
        return (side * point[0] + dx, point[1] + dy)

    def along(points: Points) -> Points:
        return moved(flipped(points) if flip else points, dx, dy)

    def one(layer: Layer) -> Layer:
        match layer:
            case Button():
                return replace(layer, centre=at(layer.centre))
            case Part():
                return replace(layer, outline=along(layer.outline), centre=at(layer.centre))
            case Ink():
                return replace(layer, outline=along(layer.outline))
            case Seam():
                return replace(layer, points=along(layer.points))

    return tuple(one(layer) for layer in layers)
