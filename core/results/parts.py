"""Where the stages keep what they know of a medium in the state store: keys, and how to read them.

``frames`` writes the list of frames, ``results`` the parts and the latest result; both read them.
A part is the event itself, in structured mode, so nothing about it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

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
from core.state.port import StateStore

D = TypeVar("D", bound=Data)


class FrameList(BaseModel):
    """The frames of a medium under one pipeline, and the upload that they were made for."""

    root: str
    framed: MediaFramed
    prompt: str | None = None


class Latest(BaseModel):
    """The newest revision of a medium's result. ``digest`` is over all but the revision."""

    revision: int
    digest: str
    pipeline: str
    root: str
    status: Status
    announced: bool


Run = tuple[str, str]
"""What one announcement led to under one pipeline: (root, pipeline)."""


@dataclass(slots=True)
class MediaParts:
    """What is known of one medium.

    Attributes:
        uploads: root -> its upload.
        framed: run -> its list of frames, with the offset it was read at.
        frames: run -> frame id -> the frame's matched or indexed items.
        dead: run -> frame id, or "" for the medium itself -> why it was given up.
        analysis: what the language model says.
    """

    uploads: dict[str, Event[MediaUploaded]] = field(default_factory=dict)
    framed: dict[Run, tuple[int, Event[MediaFramed]]] = field(default_factory=dict)
    frames: dict[Run, dict[str, Event[ItemsMatched] | Event[ItemsIndexed]]] = field(
        default_factory=dict
    )
    dead: dict[Run, dict[str, Event[DeadLetter]]] = field(default_factory=dict)
    analysis: Event[MediaAnalyzed] | None = None

    def add(self, event: Event[Data], offset: int) -> None:
        """Adds one part; adding it again changes nothing."""
        data, run = event.data, (event.root, event.pipeline)
        if isinstance(data, MediaUploaded):
            self.uploads[event.root] = event.of(MediaUploaded)
        elif isinstance(data, MediaFramed):
            known = self.framed.get(run)
            if known is None or known[0] < offset:
                self.framed[run] = (offset, event.of(MediaFramed))
        elif isinstance(data, ItemsMatched):
            self.frames.setdefault(run, {})[data.frame.frame_id] = event.of(ItemsMatched)
        elif isinstance(data, ItemsIndexed):
            self.frames.setdefault(run, {})[data.frame.frame_id] = event.of(ItemsIndexed)
        elif isinstance(data, MediaAnalyzed):
            self.analysis = event.of(MediaAnalyzed)
        elif isinstance(data, DeadLetter) and data.stage != "analyze":
            self.dead.setdefault(run, {})[event.frame or ""] = event.of(DeadLetter)

    def newest(self) -> tuple[Run, Event[MediaFramed]] | None:
        """The run that counts: the one whose list of frames stands last in the log.

        Lists of one medium share a partition, so their offsets are in order whatever order they
        were read in.
        """
        if not self.framed:
            return None
        run = max(self.framed, key=lambda key: self.framed[key][0])
        return run, self.framed[run][1]

    def superseded(self) -> list[Run]:
        """Runs whose list of frames is older than the newest. One that has no list yet may still
        become the newest: its items came ahead of it."""
        newest = self.newest()
        return [run for run in self.framed if newest is not None and run != newest[0]]

    def unframed(self) -> list[str]:
        """Roots of uploads that have neither frames nor a reason yet."""
        answered = {root for root, _ in self.framed}
        answered |= {root for (root, _), dead in self.dead.items() if "" in dead}
        return sorted(set(self.uploads) - answered)

    def unaccounted(self) -> list[str]:
        """Frame ids of the newest run that are neither done nor given up."""
        newest = self.newest()
        if newest is None:
            return []
        run, framed = newest
        known = self.frames.get(run, {}).keys() | self.dead.get(run, {}).keys()
        return [f.frame_id for f in framed.data.frames if f.frame_id not in known]


class PartStore:
    """Parts of media in the state store."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

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

    async def put_part(self, partition: int, event: Event[Data], offset: int) -> None:
        """Marks the medium as open, then stores the part: a crash between the two only costs a
        look at a medium that nothing is new about."""
        await self._state.put(
            [
                (_open_key(partition, event.subject), b""),
                (_part_key(event, offset), encode_structured(event).value or b""),
            ]
        )

    async def parts(self, media_id: str) -> MediaParts:
        """All parts of a medium, in key order."""
        parts = MediaParts()
        for key, value in await self._state.scan(f"part/{media_id}/"):
            parts.add(_decode_part(value), offset=int(key.rpartition("/")[2]))
        return parts

    async def forget(self, media_id: str, runs: Sequence[Run]) -> None:
        """Removes the items of runs that no longer count; uploads and lists of frames stay."""
        gone = [
            key
            for run in runs
            for key in await self._state.keys(_run_prefix(media_id, run))
            if key.split("/")[5] in ("items", "dead")
        ]
        if gone:
            await self._state.delete(gone)

    async def open_media(self, partition: int) -> list[str]:
        """Media with parts that no announced result covers yet."""
        prefix = _open_key(partition, "")
        return [key.removeprefix(prefix) for key in await self._state.keys(prefix)]

    async def unannounced(self) -> int:
        """Media, of all partitions, that wait for parts or for their announcement."""
        return len(await self._state.keys("open/"))

    async def close_media(self, partition: int, media_id: str) -> None:
        await self._state.delete([_open_key(partition, media_id)])


def _open_key(partition: int, media_id: str) -> str:
    return f"open/{partition}/{media_id}"


def _run_prefix(media_id: str, run: Run) -> str:
    root, pipeline = run
    return f"part/{media_id}/{root}/{pipeline or '-'}/"


def _part_key(event: Event[Data], offset: int) -> str:
    """``part/MEDIA/ROOT/PIPELINE/FRAME/KIND/...``: one key a part, so that a repeat overwrites;
    a list of frames carries its offset, because the newest one counts."""
    data = event.data
    prefix = _run_prefix(event.subject, (event.root, event.pipeline))
    frame = event.frame.rpartition("/")[2] if event.frame else "medium"
    if isinstance(data, MediaFramed):
        return f"{prefix}medium/framed/{offset}"
    if isinstance(data, DeadLetter):
        # The medium itself given up is part of the answer to its upload, and is never forgotten.
        return f"{prefix}{frame}/{'dead' if event.frame else 'refused'}/{data.stage}/0"
    if isinstance(data, ItemsMatched | ItemsIndexed):
        return f"{prefix}{frame}/items/0"
    return f"{prefix}{frame}/{data.topic}/0"


def _decode_part(value: bytes) -> Event[Data]:
    headers = {"content-type": "application/cloudevents+json"}
    return decode(Record(TopicPartition("parts", 0), 0, 0, None, value, headers))
