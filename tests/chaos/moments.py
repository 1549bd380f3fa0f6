"""When to kill: seeded moments over the whole life of an engine."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.tagger import Run

_PLACES = {
    "announcing": "media/*/*",
    "decoding": "frames/*/*",
    "batches": "crops/*/*/*",
    "folding": "results/*",
}
"""What a stage has done shows in the blob folder, which can be watched without taking part."""

_KINDS = ("start-up", *_PLACES, "shutdown")


@dataclass(frozen=True, slots=True)
class Moment:
    """Attributes:
    kind: what the engine is about.
    more: results of that work to wait for.
    delay_s: how long after that, or after the start, or after the signal to stop.
    patience_s: the moment is now, if nothing more comes for so long.
    """

    kind: str
    more: int
    delay_s: float
    patience_s: float


def moments(random: Random, count: int) -> list[Moment]:
    """As many moments, every kind in turn but in random order."""
    kinds = [_KINDS[n % len(_KINDS)] for n in range(count)]
    random.shuffle(kinds)
    return [_moment(random, kind) for kind in kinds]


def _moment(random: Random, kind: str) -> Moment:
    longest = {"start-up": 2.5, "shutdown": 0.4}.get(kind, 0.15)
    return Moment(kind, random.randint(1, 3), random.uniform(0, longest), random.uniform(4, 12))


def kill_at(moment: Moment, run: Run, data: Path) -> bool:
    """Waits for the moment and kills; False if a shutdown was quicker."""
    place = _PLACES.get(moment.kind, "results/*" if moment.kind == "shutdown" else None)
    if place is not None:
        wanted = _count(data, place) + moment.more
        run.until(lambda: _count(data, place) >= wanted, moment.patience_s)
    assert run.alive, f"ended by itself:\n{run.said()}"
    if moment.kind == "shutdown":
        run.process.send_signal(signal.SIGTERM)
    time.sleep(moment.delay_s)
    if moment.kind == "shutdown" and not run.alive:
        return False
    run.kill()
    return True


def _count(data: Path, place: str) -> int:
    return sum(1 for _ in (data / "blobs").glob(place))
