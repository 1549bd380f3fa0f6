"""Reading results back: the newest, one, or all of them."""

from __future__ import annotations

import string
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from core.claimcheck import decode_checked
from core.errors import BlobMissingError, TaggingError
from core.events import MediaTagged, Purpose
from core.ports import Ports
from core.results.keys import latest_prefix, media_of, result_key
from core.results.parts import PartStore

_ID_LENGTH = 32
_SHOWN = 8


class UnknownMediumError(TaggingError):
    """No medium, or more than one, answers to the id; the message says which."""


@dataclass(frozen=True, slots=True)
class Said:
    """A result and when it was said, in milliseconds since the epoch."""

    time: int
    tagged: MediaTagged


async def newest(ports: Ports, limit: int, purpose: Purpose) -> list[Said]:
    """The ``limit`` results that were said last, newest first, one a medium.

    Read from the end of the log, so it takes as long among ten results as among millions.
    """
    topics = [MediaTagged.topic]
    begin, end = await ports.log.begin_offsets(topics), await ports.log.end_offsets(topics)
    reach = limit
    while True:
        start = {tp: max(begin[tp], last - reach) for tp, last in end.items()}
        found: dict[str, Said] = {}
        async for record in ports.log.tail(topics, start, follow=False):
            if record.value is not None:
                event = (await decode_checked(record, ports.blobs)).of(MediaTagged)
                if event.purpose == purpose:
                    found[event.subject] = Said(record.timestamp, event.data)
        # Revisions and compaction leave fewer media than records: then look further back.
        if len(found) >= limit or start == begin:
            return sorted(found.values(), key=lambda said: -said.time)[:limit]
        reach *= 4


async def one(ports: Ports, prefix: str) -> MediaTagged:
    """The newest result of the medium whose id begins so.

    Raises:
        UnknownMediumError: no medium's does, or several do.
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


async def every(ports: Ports, purpose: Purpose) -> AsyncIterator[MediaTagged]:
    """The newest result of every medium of this purpose, by id."""
    for key in await ports.state.keys(latest_prefix()):
        tagged = await result(ports, media_of(key))
        if tagged is not None and (tagged.product is not None) == (purpose == "catalog"):
            yield tagged


async def follow(ports: Ports, purpose: Purpose) -> AsyncGenerator[MediaTagged, None]:
    """Each result that is said from now on."""
    async for record in ports.log.tail([MediaTagged.topic], "latest", follow=True):
        if record.value is None:
            continue
        event = (await decode_checked(record, ports.blobs)).of(MediaTagged)
        if event.purpose == purpose:
            yield event.data


async def result(ports: Ports, media_id: str) -> MediaTagged | None:
    """The newest result of a medium, None if it has none yet."""
    latest = await PartStore(ports.state).latest(media_id)
    if latest is None:
        return None
    key = result_key(media_id, latest.pipeline)
    try:
        return MediaTagged.model_validate_json(await ports.blobs.get(key))
    except BlobMissingError:
        return None  # the revision is noted before its blob is written


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
