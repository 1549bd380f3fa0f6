"""The ledger of announcements: per uri the newest one, and whether its event is in the log."""

from __future__ import annotations

import hashlib
from functools import partial

from pydantic import BaseModel, ConfigDict

from core import ids
from core.envelope import Event
from core.errors import SchemaError
from core.events import MediaUploaded, Purpose
from core.state.port import StateStore
from core.state.unreadable import readable
from core.tracing.traces import traceparent


class Announcement(BaseModel):
    """The newest announcement of a uri.

    Attributes:
        mark: the version of the file or object that was announced, as its place shows it.
        announced: False while the event may not be in the log; its blob is in the store.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

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


async def announcement(state: StateStore, key: str, value: bytes) -> Announcement | None:
    """The entry; None where it cannot be read, as if the file had never been seen. What is then
    announced anew has the ids that it had the first time, so nothing is done twice."""
    return await readable(state, key, value, partial(parse_announcement, key))


def parse_announcement(key: str, value: bytes) -> Announcement:
    """Raises ValueError, and SchemaError for the entry of another file."""
    entry = Announcement.model_validate_json(value)
    upload = entry.upload
    if ledger_key(upload.producer, "", upload.uri).rpartition("/")[2] != key.rpartition("/")[2]:
        raise SchemaError("it is of another file than its key says")
    return entry
