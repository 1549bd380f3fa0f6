"""What was announced from one place, in memory: what a look at a file is compared with."""

from __future__ import annotations

from core.intake.announcements import announcement, ledger_prefix
from core.intake.intake import Intake
from core.state.port import StateStore


class SeenMarks:
    """The marks of the newest announcements of a place, by uri.

    The entries are written by the intake, because only it knows when an event is in the log; this
    reads them all once and then follows.

    Args:
        producer: who announces, e.g. ``folder``.
        place: the uri of the watched folder or bucket.
    """

    def __init__(self, state: StateStore, producer: str, place: str) -> None:
        self.state = state
        self.producer = producer
        self.place = place
        self._marks: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._marks)

    async def load(self, intake: Intake) -> int:
        """Says what a crash kept from being said, then reads the whole place; the number of
        events said again."""
        recovered = await intake.recover(self.producer, self.place)
        prefix = ledger_prefix(self.producer, self.place)
        for key, value in await self.state.scan(prefix):
            entry = await announcement(self.state, key, value)
            if entry is not None:
                self._marks[entry.upload.uri] = entry.mark
        return recovered

    def knows(self, uri: str, mark: str) -> bool:
        """Whether this version of the uri was announced."""
        return self._marks.get(uri) == mark

    def learn(self, uri: str, mark: str) -> None:
        """The intake has announced this version, or found that it says nothing new."""
        self._marks[uri] = mark
