"""What a medium still waits for, counted as parts arrive, so that only a whole one is folded."""

from __future__ import annotations

from core.envelope import Event
from core.events import Data, DeadLetter, ItemsIndexed, ItemsMatched, MediaFramed, MediaUploaded
from core.results.medium import (
    Forgotten,
    MediaParts,
    Place,
    Run,
    about_frames,
    place_of,
    position_of,
)


class Completeness:
    """The outline of one medium's parts: which roots, lists and frames have come, no contents."""

    def __init__(self, forgotten: Forgotten | None = None) -> None:
        self._forgotten = forgotten or Forgotten()
        self._uploads: dict[str, Place] = {}
        self._answered: set[str] = set()
        self._framed: dict[Run, tuple[int, frozenset[str]]] = {}
        self._accounted: dict[Run, set[str]] = {}

    @classmethod
    def of(cls, parts: MediaParts) -> Completeness:
        """The outline of parts that were read back."""
        completeness = cls(parts.forgotten)
        for root, upload in parts.uploads.items():
            completeness.add(upload, parts.places[root].position)
        for position, framed in parts.framed.values():
            completeness.add(framed, position)
        for known in parts.frames.values():
            for items in known.values():
                completeness.add(items, 0)
        for dead in parts.dead.values():
            for letter in dead.values():
                completeness.add(letter, 0)
        return completeness

    def position(self, event: Event[Data], offset: int) -> int | None:
        """The position under which to keep an event that was read at this offset; None for an
        upload that was counted and forgotten."""
        if not isinstance(event.data, MediaUploaded):
            return offset
        return position_of(event.of(MediaUploaded), offset, self._uploads, self._forgotten)

    def add(self, event: Event[Data], position: int) -> None:
        data, run = event.data, Run(event.root, event.pipeline)
        if isinstance(data, MediaUploaded):
            place = self._uploads[event.root] = place_of(event.of(MediaUploaded), position)
            if place <= self._forgotten.answered:
                self._answered.add(event.root)
        elif isinstance(data, MediaFramed):
            self._answered.add(event.root)
            if position >= self._framed.get(run, (0, frozenset()))[0]:
                frames = frozenset(frame.frame_id for frame in data.frames)
                self._framed[run] = (position, frames)
        elif isinstance(data, ItemsMatched | ItemsIndexed):
            self._accounted.setdefault(run, set()).add(data.frame.frame_id)
        elif isinstance(data, DeadLetter) and about_frames(data):
            if event.frame is not None:
                self._accounted.setdefault(run, set()).add(event.frame)
            else:
                self._answered.add(event.root)

    @property
    def whole(self) -> bool:
        """Every upload is answered, and every frame of the newest list is accounted for."""
        if not self._uploads or not self._uploads.keys() <= self._answered:
            return False
        if not self._framed:
            return True
        listed = max(self._framed, key=lambda key: (self._framed[key][0], key))
        if listed.root not in self._uploads and not self._forgotten.count:
            return False
        made = (known for run, known in self._accounted.items() if run.made_of(listed))
        return self._framed[listed][1] <= set().union(*made)
