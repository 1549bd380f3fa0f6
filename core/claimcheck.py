"""Data that is too large for a record: stored as a blob, and read again wherever it is met.

The record then carries CloudEvents' ``dataref`` instead of data (the claim check pattern: Hohpe and
Woolf, Enterprise Integration Patterns, 2003). Every reader of events reads through here, so none
has to know which of the two it got. A reference comes from whoever may write to the log, so it can
name data of this kind and nothing else in the store.
"""

from __future__ import annotations

from core.blobs.keys import data_hash, data_key
from core.blobs.port import Blob, BlobStore
from core.bounds import MOST_BYTES
from core.envelope import Event, dataref, decode, encode
from core.errors import BlobMissingError, LimitExceededError, SchemaError
from core.events import Data
from core.ids import content_hash
from core.log.port import Message, Record

INLINE_LIMIT = 900_000
"""Bytes of data that travel inside a record; Kafka refuses records over 1 MB by default."""

REFERRED_LIMIT = MOST_BYTES
"""Bytes of data that a record may refer to: what a reader must be able to hold in memory."""


async def encode_checked(event: Event[Data], value: bytes, blobs: BlobStore) -> Message:
    """The event as a record; data over the inline limit is stored first and referred to.

    Raises:
        LimitExceededError: no reader would take so much.
    """
    if len(value) <= INLINE_LIMIT:
        return encode(event, value)
    if len(value) > REFERRED_LIMIT:
        raise LimitExceededError(f"{event.data.type()}: {_too_large(len(value))}: cut the medium")
    key = data_key(event.data.topic, content_hash(value))
    await blobs.put([Blob(key, value, "application/json")])
    return encode(event, dataref=key)


async def decode_checked(record: Record, blobs: BlobStore) -> Event[Data]:
    """The event of a record, wherever its data is.

    Raises:
        SchemaError, NewerEventError: as :func:`core.envelope.decode`; or it refers to something
            that is no data of its topic, or is too large.
        BlobMissingError: what it refers to is gone or damaged.
    """
    reference = dataref(record)
    if not reference:
        return decode(record)
    # Others write structured mode, where it may be of any JSON type.
    return decode(record, await _fetch(str(reference), record.topic, blobs))


async def _fetch(reference: str, topic: str, blobs: BlobStore) -> bytes:
    """The size is asked for first, so that a large blob is never held in memory."""
    expected = data_hash(reference, topic)
    if expected is None:
        wanted = data_key(topic, "SHA-256")
        raise SchemaError(f"dataref {reference[:200]!r} is not of the form {wanted}")
    found = await blobs.stat(reference)
    if found is None:
        raise BlobMissingError(f"there is no blob {reference!r}, where the event's data should be")
    if found.size > REFERRED_LIMIT:
        raise SchemaError(f"dataref {reference!r}: {_too_large(found.size)}")
    value = await blobs.get(reference)
    if content_hash(value) != expected:
        raise BlobMissingError(
            f"blob {reference!r} is damaged: its bytes are not those that its name says;"
            " submit the medium again"
        )
    return value


def _too_large(size: int) -> str:
    return f"{size} bytes of data are more than an event may have ({REFERRED_LIMIT})"
