"""How long decoding may take: what is known beforehand, and what follows from what was decoded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LEAST_PIXELS = 640 * 480
"""What a frame counts for at least: looking at it costs something, however small it is."""
_TELL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Construction validates nothing; DecodeOptions does.

    Attributes:
        total_s: seconds in all, whatever is decoded in them.
        quiet_s: seconds without a new frame.
        pixels_per_s: decoded pixels that buy another second, beyond the first ``quiet_s``.
        setting: what to raise for a larger ``total_s``; empty where nothing can be.
    """

    total_s: float
    quiet_s: float = math.inf
    pixels_per_s: float = math.inf
    setting: str = ""

    def after(self, pixels: int) -> float:
        """Seconds that a job may have taken by the time it has decoded so many pixels."""
        return min(self.total_s, self.quiet_s + pixels / self.pixels_per_s)

    def quiet(self, pixels: int, last_s: float) -> bool:
        """Whether a job that gave its last frame after ``last_s`` seconds ends for want of a new
        one, and not because it is slow."""
        return last_s + self.quiet_s <= self.after(pixels)

    def broken(self, pixels: int, last_s: float) -> str:
        """In words, the limit that such a job meets first."""
        if self.quiet(pixels, last_s):
            return f"the decoder gave no new frame for {self.quiet_s:g} s"
        if self.after(pixels) >= self.total_s:
            advice = f": shorten it, or raise {self.setting}" if self.setting else ""
            return f"decoding took longer than {self.total_s:g} s{advice}"
        return (
            f"decoding took longer than {self.after(pixels):.3g} s: {self.quiet_s:g} s, and one "
            f"for every {self.pixels_per_s / 1e6:g} million pixels that were decoded"
        )


class Progress:
    """Counts in the child what was decoded, and tells of it now and then.

    Args:
        tell: takes the pixels so far.
    """

    def __init__(
        self, tell: Callable[[int], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._pixels = 0
        self._told_at = -math.inf

    def frame(self, width: int, height: int) -> None:
        """There is one more frame of this size."""
        self._pixels += max(width * height, _LEAST_PIXELS)
        now = self._clock()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self._tell(self._pixels)


UNTOLD = Progress(lambda _: None)
"""For who decodes in its own process."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A job of a child's table that is given a Progress beside its arguments."""

    job: Callable[..., object]
