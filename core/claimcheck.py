"""Data that is too large for a record: stored as a blob, and read again wherever it is met.

The record then carries CloudEvents' ``dataref`` instead of data (the claim check pattern: Hohpe and
Woolf, Enterprise Integration Patterns, 2003). Every reader of events reads through here, so none
has to know which of the two it got.
"""

from __future__ import annotations

from core.blobs.keys import data_key
from core.blobs.port import Blob, BlobStore
from core.envelope import Event, dataref, decode, encode
from core.events import Data
from core.ids import content_hash
from core.log.port import Message, Record

INLINE_LIMIT = 900_000
"""Bytes of data that travel inside a record; Kafka refuses records over 1 MB by default."""


async def encode_checked(event: Event[Data], value: bytes, blobs: BlobStore) -> Message:
    """The event as a record; data over the inline limit is stored first and referred to."""
    if len(value) <= INLINE_LIMIT:
        return encode(event, value)
    key = data_key(event.data.topic, content_hash(value))
    await blobs.put([Blob(key, value, "application/json")])
    return encode(event, dataref=key)


async def decode_checked(record: Record, blobs: BlobStore) -> Event[Data]:
    """The event of a record, wherever its data is.

    Raises:
        SchemaError, NewerEventError: as :func:`core.envelope.decode`.
        BlobMissingError: what it refers to is gone.
    """
    reference = dataref(record)
    return decode(record, await blobs.get(reference) if reference else None)
