"""The JSON in which S3 servers report objects: ``Records[]``.

Format: Amazon S3 user guide, "Event message structure". Its keys are URL-encoded, and so are those
that MinIO sends to a topic; to a listener MinIO sends them plain.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import structlog
from pydantic import BaseModel, Field, ValidationError

from producers.objects import Version, plain_etag

_log = structlog.get_logger()

CREATED = "s3:ObjectCreated:*"
"""What to ask a server for, so that it reports all puts."""


class _Bucket(BaseModel):
    name: str


class _Object(BaseModel):
    key: str
    etag: str = Field("", alias="eTag")
    size: int = Field(0, ge=0)  # left out where it is 0


class _S3(BaseModel):
    bucket: _Bucket
    object: _Object


class _Record(BaseModel):
    name: str = Field(alias="eventName")
    s3: _S3

    @property
    def is_put(self) -> bool:
        return self.name.removeprefix("s3:").startswith("ObjectCreated:")  # AWS leaves out "s3:"


class _Notification(BaseModel):
    # Between events a server may send empty ones, to show that it is there.
    records: list[Any] | None = Field(alias="Records")


def created(text: bytes, bucket: str, *, encoded: bool) -> list[Version]:
    """The versions that were put into the bucket. What else there is to read is skipped, and what
    is no notification is logged and skipped: these are hints only.

    Args:
        encoded: whether keys are URL-encoded.
    """
    try:
        records = _Notification.model_validate_json(text).records or []
        puts = [record.s3 for record in map(_Record.model_validate, records) if record.is_put]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "its start"
        _log.warning("notification_ignored", bucket=bucket, reason=f"{where}: {first['msg']}")
        return []
    key_of = unquote_plus if encoded else str
    return [
        Version(key_of(put.object.key), plain_etag(put.object.etag), put.object.size)
        for put in puts
        if put.bucket.name == bucket
    ]
