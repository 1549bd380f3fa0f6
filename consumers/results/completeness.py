"""What a medium still waits for, counted as parts arrive, so that only a whole one is folded."""

from __future__ import annotations

from core.envelope import Event
from core.events import Data, DeadLetter, ItemsIndexed, ItemsMatched, MediaFramed, MediaUploaded
from core.results.parts import MediaParts, Run


class Completeness:
    """The outline of one medium's parts: which roots, lists and frames have come, no contents."""

    def __init__(self) -> None:
        self._uploads: set[str] = set()
        self._answered: set[str] = set()
        self._framed: dict[Run, tuple[int, frozenset[str]]] = {}
        self._accounted: dict[Run, set[str]] = {}

    @classmethod
    def of(cls, parts: MediaParts) -> Completeness:
        """The outline of parts that were read back."""
        completeness = cls()
        for upload in parts.uploads.values():
            completeness.add(upload, 0)
        for offset, framed in parts.framed.values():
            completeness.add(framed, offset)
        for known in parts.frames.values():
            for items in known.values():
                completeness.add(items, 0)
        for dead in parts.dead.values():
            for letter in dead.values():
                completeness.add(letter, 0)
        return completeness

    def add(self, event: Event[Data], offset: int) -> None:
        data, run = event.data, (event.root, event.pipeline)
        if isinstance(data, MediaUploaded):
            self._uploads.add(event.root)
        elif isinstance(data, MediaFramed):
            self._answered.add(event.root)
            if offset >= self._framed.get(run, (0, frozenset()))[0]:
                frames = frozenset(frame.frame_id for frame in data.frames)
                self._framed[run] = (offset, frames)
        elif isinstance(data, ItemsMatched | ItemsIndexed):
            self._accounted.setdefault(run, set()).add(data.frame.frame_id)
        elif isinstance(data, DeadLetter):
            if event.frame:
                self._accounted.setdefault(run, set()).add(event.frame)
            else:
                self._answered.add(event.root)

    @property
    def whole(self) -> bool:
        """Every upload is answered, and every frame of the newest list is accounted for."""
        if not self._uploads or not self._uploads <= self._answered:
            return False
        if not self._framed:
            return True
        run = max(self._framed, key=lambda key: self._framed[key][0])
        return run[0] in self._uploads and self._framed[run][1] <= self._accounted.get(run, set())
