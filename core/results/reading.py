"""Reading results back: the newest, one, or all of them."""

from __future__ import annotations

import string
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from core.errors import BlobMissingError, SchemaError, TaggingError
from core.events import MediaTagged, Purpose
from core.ports import Ports
from core.results.keys import latest_key, latest_prefix, media_of, result_key
from core.results.parts import Latest, PartStore
from core.unread import UNREADABLE, Unread

_ID_LENGTH = 32
_SHOWN = 8


class UnknownMediumError(TaggingError):
    """No medium, or more than one, answers to the id; the message says which."""


@dataclass(frozen=True, slots=True)
class Published:
    """A result and when it was published, in milliseconds since the epoch."""

    time: int
    tagged: MediaTagged


async def newest(
    ports: Ports, limit: int, purpose: Purpose, unread: Unread | None = None
) -> list[Published]:
    """The ``limit`` results that were published last, newest first, one a medium.

    Read from the end of the log, so it takes as long among ten results as among millions.

    Args:
        unread: notes which records of those looked at cannot be read.
    """
    topics = [MediaTagged.topic]
    begin, end = await ports.log.begin_offsets(topics), await ports.log.end_offsets(topics)
    reach = limit
    while True:
        start = {tp: max(begin[tp], last - reach) for tp, last in end.items()}
        found: dict[str, Published] = {}
        passed_over = Unread()  # of this round: the next one reads the same records again
        async for record in ports.log.tail(topics, start, follow=False):
            event = await passed_over.event(record, ports.blobs, MediaTagged)
            if event is not None and event.purpose == purpose:
                found[event.subject] = Published(record.timestamp, event.data)
        # Revisions and compaction leave fewer media than records: then look further back.
        if len(found) >= limit or start == begin:
            if unread is not None:
                unread.extend(passed_over)
            return sorted(found.values(), key=lambda each: -each.time)[:limit]
        reach *= 4


async def one(ports: Ports, prefix: str) -> MediaTagged:
    """The newest result of the medium whose id begins so.

    Raises:
        UnknownMediumError: no medium's does, or several do.
        SchemaError: what is stored of it cannot be read.
    """
    prefix = prefix.lower()
    if not prefix or not set(prefix) <= set(string.hexdigits) or len(prefix) > _ID_LENGTH:
        raise UnknownMediumError(
            f"{prefix!r} is no media id: these are up to 32 hexadecimal digits"
        )
    keys = await ports.state.keys(latest_prefix(prefix))
    found = [media_of(key) for key in keys]
    if not found:
        raise UnknownMediumError(
            f"no result of a medium {prefix}...: `tagger results` lists the newest"
        )
    if len(found) > 1:
        raise UnknownMediumError(f"{prefix} begins {_listed(found)}: give more digits")
    tagged = await result(ports, found[0])
    if tagged is None:
        raise UnknownMediumError(f"the result of {found[0]} is just being written; try again")
    return tagged


async def every(
    ports: Ports, purpose: Purpose, unread: Unread | None = None
) -> AsyncIterator[MediaTagged]:
    """The newest result of every medium of this purpose, by id; ``unread`` notes what is stored
    and cannot be read."""
    passed_over = unread if unread is not None else Unread()
    for key in await ports.state.keys(latest_prefix()):
        try:
            tagged = await result(ports, media_of(key))
        except UNREADABLE as error:
            passed_over.add(f"result of {media_of(key)}", error)
            continue
        if tagged is not None and (tagged.product is not None) == (purpose == "catalog"):
            yield tagged


async def follow(
    ports: Ports, purpose: Purpose, unread: Unread | None = None
) -> AsyncGenerator[MediaTagged, None]:
    """Each result that is published from now on; ``unread`` notes what cannot be read."""
    passed_over = unread if unread is not None else Unread()
    async for record in ports.log.tail([MediaTagged.topic], "latest", follow=True):
        event = await passed_over.event(record, ports.blobs, MediaTagged)
        if event is not None and event.purpose == purpose:
            yield event.data


async def result(ports: Ports, media_id: str) -> MediaTagged | None:
    """The newest result of a medium, None if it has none yet.

    Raises:
        SchemaError: what is stored of it cannot be read. Its next result takes that one's place.
    """
    latest = await _latest(ports, media_id)
    if latest is None:
        return None
    key = result_key(media_id, latest.pipeline)
    try:
        return MediaTagged.model_validate_json(await ports.blobs.get(key))
    except BlobMissingError:
        return None  # the revision is noted before its blob is written
    except ValidationError as error:
        raise SchemaError(f"blob {key} is damaged: {_first(error)}") from error


async def _latest(ports: Ports, media_id: str) -> Latest | None:
    latest = await PartStore(ports.state).latest(media_id)
    if latest is None and await ports.state.get(latest_key(media_id)) is not None:
        raise SchemaError("its newest revision is damaged in state: see `tagger state list`")
    return latest


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
