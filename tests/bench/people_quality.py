"""How well garments on people are found: F1 of the categories, and pictures to look at.

    python -m tests.bench.people_quality FOLDER --overlays OUT

FOLDER holds pictures and ``labels.csv`` (columns ``image`` and ``categories``, the categories of a
picture separated by spaces). OUT must lie outside the checkout: such pictures are often not ours
to keep.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.vision.lite.people.finder import BlazePoseFinder
from core.vision.lite.people.seams import CropHeads, PersonGarment
from core.vision.port import Image

_COLOURS = {"top": (255, 60, 60), "bottom": (60, 200, 60), "dress": (230, 60, 230)}
_OTHER = (60, 220, 220)
_CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture: its name, what a person sees, what was found, and how long it took, seconds."""

    name: str
    expected: frozenset[str]
    found: tuple[PersonGarment, ...]
    seconds: float
    image: Image

    @property
    def categories(self) -> frozenset[str]:
        return frozenset(garment.category for garment in self.found)


def read_image(path: Path, side: int = 1024) -> Image:
    """A picture as RGB, its longer side at most ``side`` pixels."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(path)
    scale = min(1.0, side / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[:, :, ::-1])


def measure(folder: Path, heads: CropHeads) -> list[Outcome]:
    """Run the finder over all labelled pictures of ``folder``."""
    finder = BlazePoseFinder()
    outcomes = []
    with (folder / "labels.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            image = read_image(folder / row["image"])
            start = time.perf_counter()
            found = tuple(finder.find(image, heads))
            seconds = time.perf_counter() - start
            expected = frozenset(row["categories"].split())
            outcomes.append(Outcome(row["image"], expected, found, seconds, image))
    return outcomes


def f1(outcomes: Sequence[Outcome]) -> float:
    """Micro F1 of the categories over all pictures."""
    hits = sum(len(o.expected & o.categories) for o in outcomes)
    total = sum(len(o.expected) + len(o.categories) for o in outcomes)
    return 2 * hits / max(1, total)


def overlay(outcome: Outcome) -> Image:
    """The picture with each garment tinted and named."""
    view = outcome.image.copy()
    for garment in outcome.found:
        tint = np.array(_COLOURS.get(garment.part, _OTHER))
        inside = garment.hint.within((0, 0, *view.shape[1::-1])) > 0.5
        view[inside] = (0.5 * view[inside] + 0.5 * tint).astype(np.uint8)
    for garment in outcome.found:
        x, y = int(garment.box[0]), int(garment.box[1] + 20)
        words = f"{garment.label} {garment.score:.2f}"
        for colour, width in (((0, 0, 0), 5), ((255, 255, 255), 1)):
            cv2.putText(view, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, width)
    return view


def _print(outcomes: Sequence[Outcome]) -> None:
    misses: Counter[str] = Counter()
    for o in outcomes:
        missing, extra = sorted(o.expected - o.categories), sorted(o.categories - o.expected)
        misses.update([f"missed {c}" for c in missing] + [f"invented {c}" for c in extra])
        words = " ".join(f"{g.label}({g.score:.2f})" for g in o.found)
        note = f"  MISSED {missing} INVENTED {extra}" if missing or extra else ""
        print(f"{o.name:20s} {1e3 * o.seconds:5.0f} ms  {words}{note}")
    milliseconds = 1e3 * float(np.median([o.seconds for o in outcomes]))
    print(f"F1 of categories {f1(outcomes):.3f} on {len(outcomes)} pictures, {milliseconds:.0f} ms")
    print(", ".join(f"{what}: {count}" for what, count in misses.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--overlays", type=Path, help="a folder outside the checkout")
    arguments = parser.parse_args()
    if arguments.overlays and arguments.overlays.resolve().is_relative_to(_CHECKOUT):
        parser.error("overlays must lie outside the checkout")

    from core.vision.lite.network import LiteNetwork

    outcomes = measure(arguments.folder, LiteNetwork(threads=2))
    _print(outcomes)
    if arguments.overlays:
        arguments.overlays.mkdir(parents=True, exist_ok=True)
        for outcome in outcomes:
            target = arguments.overlays / f"{Path(outcome.name).stem}.png"
            cv2.imwrite(str(target), overlay(outcome)[:, :, ::-1])


if __name__ == "__main__":
    main()
