"""The ledger of announcements: per uri the newest one, and whether its event is in the log."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict, ValidationError

from core import ids
from core.envelope import Event
from core.errors import FormatError
from core.events import MediaUploaded, Purpose
from core.tracing.traces import traceparent


class Announcement(BaseModel):
    """The newest announcement of a uri.

    Attributes:
        mark: the version of the file or object that was announced, as its place shows it.
        announced: False while the event may not be in the log; its blob is in the store.
    """

    model_config = ConfigDict(frozen=True, extra="allow", cache_strings="keys")

    mark: str
    announced: bool
    purpose: Purpose
    upload: MediaUploaded

    @property
    def root(self) -> str:
        """The event's ce_id."""
        upload = self.upload
        return ids.root_id(upload.producer, upload.uri, upload.announcement, upload.media_id)

    def event(self) -> Event[MediaUploaded]:
        """The same on every call but for its time."""
        return Event(
            id=self.root,
            source=f"/producers/{self.upload.producer}",
            subject=self.upload.media_id,
            root=self.root,
            data=self.upload,
            purpose=self.purpose,
            traceparent=traceparent(self.root, self.root),
        )


def ledger_prefix(producer: str, place: str) -> str:
    """Where the ledger of a producer's place is; hashed, because uris are no store's keys."""
    return f"ledger/{producer}/{hashlib.sha256(place.encode()).hexdigest()[:16]}/"


def ledger_key(producer: str, place: str, uri: str) -> str:
    """Where the entry of a uri is."""
    return ledger_prefix(producer, place) + hashlib.sha256(uri.encode()).hexdigest()[:32]


def parse_announcement(key: str, value: bytes) -> Announcement:
    """Raises FormatError: guessing would announce twice or never."""
    try:
        return Announcement.model_validate_json(value)
    except ValidationError as error:
        raise FormatError(f"the ledger's entry {key} is not one that this version reads") from error
