"""Where the stages keep what they know of a medium in the state store: keys, and how to read them.

``frames`` writes the list of frames, ``results`` the parts and the latest result; both read them.
A part is the event itself, in structured mode, so nothing about it is lost.
"""

from __future__ import annotations

from pydantic import BaseModel

from core.envelope import Event, decode, encode_structured
from core.events import (
    Data,
    DeadLetter,
    ItemsIndexed,
    ItemsMatched,
    MediaAnalyzed,
    MediaFramed,
    MediaUploaded,
    Status,
)
from core.log.port import Record, TopicPartition
from core.results.keys import latest_key, latest_prefix, media_of
from core.results.medium import KEPT_UPLOADS, Forgotten, MediaParts, Run
from core.state.port import StateStore

_COUNTED = 1000


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

    revision: int
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
        value = await self._state.get(f"frames/{media_id}/{pipeline}")
        return FrameList.model_validate_json(value) if value is not None else None

    async def put_frame_list(self, media_id: str, pipeline: str, frames: FrameList) -> None:
        value = frames.model_dump_json().encode()
        await self._state.put([(f"frames/{media_id}/{pipeline}", value)])

    async def latest(self, media_id: str) -> Latest | None:
        value = await self._state.get(latest_key(media_id))
        return Latest.model_validate_json(value) if value is not None else None

    async def put_latest(self, media_id: str, latest: Latest) -> None:
        await self._state.put([(latest_key(media_id), latest.model_dump_json().encode())])

    async def results(self) -> dict[str, Latest]:
        """The latest result of every medium."""
        return {
            media_of(key): Latest.model_validate_json(value)
            for key, value in await self._state.scan(latest_prefix())
        }

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
        """All parts of a medium, in key order."""
        found = dict(await self._state.scan(f"part/{media_id}/"))
        known = found.pop(_forgotten_key(media_id), None)
        parts = MediaParts(keep=self._keep)
        if known is not None:
            parts.forgotten = Forgotten.model_validate_json(known)
        for key, value in found.items():
            event, position = _decode_part(value), int(key.rpartition("/")[2])
            parts.add(event, position)
            parts.stored[key] = (event, position)
        return parts

    async def forget(self, media_id: str, parts: MediaParts) -> None:
        """Removes what the result of these parts, which are whole and all there are, can do
        without. A crash in between leaves what the next call finds, and counts nothing twice."""
        keys, remembered = parts.superfluous()
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


def _decode_part(value: bytes) -> Event[Data]:
    headers = {"content-type": "application/cloudevents+json"}
    return decode(Record(TopicPartition("parts", 0), 0, 0, None, value, headers))
