"""Where the stages keep what they know of a medium in the state store: keys, and how to read them.

``frames`` writes the list of frames, ``results`` the parts and the latest result; both read them.
A part is the event itself, in structured mode, so nothing about it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from core.bounds import check_attribute
from core.envelope import Event, decode, encode_structured
from core.errors import SchemaError
from core.events import (
    Data,
    DeadLetter,
    ItemsIndexed,
    ItemsMatched,
    MediaAnalyzed,
    MediaFramed,
    MediaUploaded,
    Status,
    Whole,
)
from core.log.port import Record, TopicPartition
from core.results.forgetting import superfluous
from core.results.keys import latest_key, latest_prefix, media_of
from core.results.medium import KEPT_UPLOADS, Forgotten, MediaParts, Run
from core.state.port import StateStore
from core.state.unreadable import readable

T = TypeVar("T")

_COUNTED = 1000
_PARTS = TopicPartition("parts", 0)
_STRUCTURED = {"content-type": "application/cloudevents+json"}


class FrameList(BaseModel):
    """The frames of a medium under one pipeline.

    Attributes:
        root: of the upload that they were made for.
        framed: what is published of them.
        prompt: what to search them for, of that upload; None for the default.
    """

    root: str
    framed: MediaFramed
    prompt: str | None = None


class Latest(BaseModel):
    """The newest revision of a medium's result.

    Attributes:
        digest: over all but the revision.
        announced: whether the revision stands in the log.
        collections: of media, where vectors of the medium may stand; None in what was written
            before that was noted.
    """

    revision: Annotated[Whole, Field(ge=0)]
    digest: str
    pipeline: str
    root: str
    status: Status
    announced: bool
    collections: list[str] | None = None


class PartStore:
    """Parts of media in the state store.

    Args:
        keep: newest uploads of a medium that stay known by name; older ones are only counted.
    """

    def __init__(self, state: StateStore, keep: int = KEPT_UPLOADS) -> None:
        self._state = state
        self._keep = keep

    async def frame_list(self, media_id: str, pipeline: str) -> FrameList | None:
        """None where there is none, or none that can be read: it is made again."""
        return await self._read(f"frames/{media_id}/{pipeline}", partial(_frame_list, media_id))

    async def put_frame_list(self, media_id: str, pipeline: str, frames: FrameList) -> None:
        value = frames.model_dump_json().encode()
        await self._state.put([(f"frames/{media_id}/{pipeline}", value)])

    async def latest(self, media_id: str) -> Latest | None:
        """None where there is none, or none that can be read."""
        return await self._read(latest_key(media_id), _latest)

    async def put_latest(self, media_id: str, latest: Latest) -> None:
        await self._state.put([(latest_key(media_id), latest.model_dump_json().encode())])

    async def results(self) -> dict[str, Latest]:
        """The latest result of every medium."""
        found = {}
        for key, value in await self._state.scan(latest_prefix()):
            latest = await readable(self._state, key, value, _latest)
            if latest is not None:
                found[media_of(key)] = latest
        return found

    async def put_part(self, partition: int, event: Event[Data], position: int) -> None:
        """Marks the medium as open, then stores the part: a crash between the two only costs a
        look at a medium that nothing is new about.

        Args:
            position: of an upload by ``core.results.medium.position_of``, else the offset.
        """
        await self._state.put(
            [
                (_open_key(partition, event.subject), b""),
                (_part_key(event, position), encode_structured(event).value or b""),
            ]
        )

    async def parts(self, media_id: str) -> MediaParts:
        """All parts of a medium that can be read, in key order; the others are named."""
        found = dict(await self._state.scan(f"part/{media_id}/"))
        forgotten, known = _forgotten_key(media_id), found.pop(_forgotten_key(media_id), None)
        parts = MediaParts(keep=self._keep)
        if known is not None:
            read = await readable(self._state, forgotten, known, Forgotten.model_validate_json)
            parts.forgotten = read or parts.forgotten
        for key, value in found.items():
            part = await readable(self._state, key, value, partial(_part, key))
            if part is None:
                parts.unreadable.append(key)
                continue
            parts.add(*part)
            parts.stored[key] = part
        return parts

    async def _read(self, key: str, parse: Callable[[bytes], T]) -> T | None:
        value = await self._state.get(key)
        return None if value is None else await readable(self._state, key, value, parse)

    async def forget(self, media_id: str, parts: MediaParts) -> None:
        """Removes what the result of these parts, which are whole and all there are, can do
        without. A crash in between leaves what the next call finds, and counts nothing twice."""
        keys, remembered = superfluous(parts)
        if keys:
            await self._state.put(
                [(_forgotten_key(media_id), remembered.model_dump_json().encode())]
            )
            await self._state.delete(keys)

    async def open_media(
        self, partition: int, limit: int, after: str | None = None
    ) -> tuple[list[str], str | None]:
        """A page of media with parts that no announced result covers yet; the second value goes
        into the next ``after``."""
        prefix = _open_key(partition, "")
        keys, rest = await self._state.page(prefix, limit, after)
        return [key.removeprefix(prefix) for key in keys], rest

    async def unannounced(self) -> int:
        """Media, of all partitions, that wait for parts or for their announcement."""
        count, after = 0, None
        while True:
            keys, after = await self._state.page("open/", _COUNTED, after)
            count += len(keys)
            if after is None:
                return count

    async def waiting_for(self, limit: int) -> dict[str, list[str]]:
        """Some media that :meth:`unannounced` counts, and what each still waits for."""
        keys, _ = await self._state.page("open/", limit)
        media = [key.split("/", 2)[2] for key in keys]
        return {one: (await self.parts(one)).missing() for one in media}

    async def close_media(self, partition: int, media_id: str) -> None:
        await self._state.delete([_open_key(partition, media_id)])


def _open_key(partition: int, media_id: str) -> str:
    return f"open/{partition}/{media_id}"


def _forgotten_key(media_id: str) -> str:
    return f"part/{media_id}/forgotten"


def _part_key(event: Event[Data], position: int) -> str:
    """``part/MEDIA/ROOT/PIPELINE/FRAME/KIND/...``: one key a part, so that a repeat overwrites.
    Uploads, lists of frames and analyses carry their position, because the newest ones count."""
    data, run = event.data, Run(event.root, event.pipeline)
    prefix = f"part/{event.subject}/{run.root}/{run.pipeline or '-'}/"
    frame = event.frame.rpartition("/")[2] if event.frame else "medium"
    if isinstance(data, MediaFramed):
        return f"{prefix}medium/framed/{position}"
    if isinstance(data, DeadLetter):
        return f"{prefix}{frame}/{'dead' if event.frame else 'refused'}/{data.stage}/0"
    if isinstance(data, ItemsMatched | ItemsIndexed):
        return f"{prefix}{frame}/items/0"
    if isinstance(data, MediaUploaded | MediaAnalyzed):
        return f"{prefix}{frame}/{data.topic}/{position}"
    return f"{prefix}{frame}/{data.topic}/0"


def _part(key: str, value: bytes) -> tuple[Event[Data], int]:
    """The part that stands at a key, and its position; raises SchemaError."""
    last = key.rpartition("/")[2]
    if not last.isdecimal():
        raise SchemaError(f"{key} is no key of a part")
    position = int(last)
    event = decode(Record(_PARTS, 0, 0, None, value, _STRUCTURED))
    if _part_key(event, position) != key:
        raise SchemaError("it is another part than its key says")
    return event, position


def _latest(value: bytes) -> Latest:
    latest = Latest.model_validate_json(value)
    check_attribute("ce_pipeline", latest.pipeline)  # it becomes part of a key
    return latest


def _frame_list(media_id: str, value: bytes) -> FrameList:
    frames = FrameList.model_validate_json(value)
    if frames.framed.media_id != media_id:
        raise SchemaError("it is of another medium than its key says")
    return frames
