"""What a reader could not read: set aside, counted and named, so that it sees all the rest."""

from __future__ import annotations

from typing import TypeVar

from core.blobs.port import BlobStore
from core.claimcheck import decode_checked
from core.envelope import Event
from core.errors import NewerEventError, PermanentError
from core.events import Data
from core.log.port import Record

D = TypeVar("D", bound=Data)

UNREADABLE = (PermanentError, NewerEventError)
"""What is wrong with one record alone; whatever else is raised concerns every record."""

_NAMED = 5
_REASON_LENGTH = 200


class Unread:
    """Records that somebody read past.

    Attributes:
        count: how many there were; only the first few are kept by name.
    """

    def __init__(self) -> None:
        self.count = 0
        self._named: list[str] = []

    def add(self, place: str, reason: object) -> None:
        """``place`` says where it stands: a record's, or in words."""
        self.count += 1
        if len(self._named) < _NAMED:
            self._named.append(f"{_printable(place)} ({_printable(str(reason))})")

    def extend(self, others: Unread) -> None:
        """Those that somebody else read past, too."""
        self.count += others.count
        self._named = [*self._named, *others._named][:_NAMED]

    async def event(self, record: Record, blobs: BlobStore, model: type[D]) -> Event[D] | None:
        """The record's event. None for a tombstone, and for what is no event of this model or
        cannot be read, which is noted.

        Raises:
            OutageError: the store of its data is away.
        """
        if record.value is None:
            return None
        try:
            return (await decode_checked(record, blobs)).of(model)
        except UNREADABLE as error:
            self.add(record.place, error)
            return None

    @property
    def words(self) -> str | None:
        """``2 records could not be read: media.tagged:3:17 (reason), ...``; None for none."""
        if not self.count:
            return None
        noun = "record" if self.count == 1 else "records"
        more = self.count - len(self._named)
        named = ", ".join(self._named) + (f" and {more} more" if more else "")
        return f"{self.count} {noun} could not be read: {named}"


def _printable(text: str) -> str:
    """One line of bounded length, without what a terminal would obey: others wrote it."""
    cut = text if len(text) <= _REASON_LENGTH else text[:_REASON_LENGTH] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in cut)
