"""frames: a medium becomes its key frames.

Reads ``media.uploaded``. Decodes the medium (in a child process), stores each key frame, and says
``frames.extracted`` once a frame and ``media.framed`` once a medium. The list of frames is stored
before anything is said, so a retry on whatever host says the same. Bytes whose result is complete
already are not decoded again: their stored items go straight to matching, under the new root.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.blobs.keys import frame_key
from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.events import (
    Data,
    EmbeddedItem,
    Frame,
    FrameExtracted,
    ItemsEmbedded,
    MediaFramed,
    MediaUploaded,
    Product,
)
from core.ids import frame_id
from core.intake.room import Room
from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.results.parts import FrameList, PartStore
from core.runtime.stage import Context, Output, Stage
from core.state.port import StateStore

_MANY_BYTES = 64 << 20


class FramesStage(Stage):
    name = "frames"
    reads = (MediaUploaded,)
    lane = "media"

    def __init__(
        self, blobs: BlobStore, state: StateStore, decoder: Decoder, pipeline: str
    ) -> None:
        self.pipeline = pipeline
        self._blobs = blobs
        self._parts = PartStore(state)
        self._decoder = decoder

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        upload = event.of(MediaUploaded)
        known = await self._parts.frame_list(upload.subject, self.pipeline)
        if known is not None:
            known = _about(upload.data.product, known)
        if known is not None and known.root != upload.root:
            cached = await self._from_parts(upload.subject, known)
            if cached:
                return cached
        if known is None:
            known = await self._decode(upload)
        return self._say(known, upload.data)

    async def _decode(self, upload: Event[MediaUploaded]) -> FrameList:
        medium = upload.data
        with self._decoder.folder() as folder:
            async with self._blobs.local(medium.blob_key) as path:
                decoded = await self._decoder.frames(path, medium.kind, folder)
            frames = await self._store(medium.media_id, decoded)
        framed = MediaFramed(
            media_id=medium.media_id,
            filename=medium.filename,
            content_hash=medium.content_hash,
            kind=medium.kind,
            duration_ms=decoded.duration_ms,
            frames=frames,
            notes=list(decoded.notes),
            product=medium.product,
        )
        known = FrameList(root=upload.root, framed=framed, prompt=medium.prompt)
        await self._parts.put_frame_list(medium.media_id, self.pipeline, known)
        return known

    async def _store(self, media_id: str, decoded: Decoded) -> list[Frame]:
        frames, blobs = [], []
        for file in decoded.frames:
            key = frame_key(self.pipeline, media_id, file.time_ms)
            blobs.append(Blob(key, file.path, "image/jpeg"))
            frames.append(
                Frame(
                    frame_id=frame_id(media_id, file.time_ms),
                    blob_key=key,
                    time_ms=file.time_ms,
                    timecode=file.timecode,
                    width=file.width,
                    height=file.height,
                    scene_start_ms=file.scene_start_ms,
                    scene_end_ms=file.scene_end_ms,
                )
            )
        await self._check_room(decoded)
        await self._blobs.put(blobs)
        return frames

    async def _check_room(self, decoded: Decoded) -> None:
        """Frames of one video that do not fit on the disk stop nobody else; those of ordinary media
        have what is left for the work under way."""
        size = sum(file.path.stat().st_size for file in decoded.frames)
        if size > _MANY_BYTES:
            await Room(self._blobs).check(size, f"{len(decoded.frames)} key frames")

    def _say(self, known: FrameList, medium: MediaUploaded) -> list[Output]:
        extracted = [
            Output(
                FrameExtracted(
                    media_id=medium.media_id,
                    frame=frame,
                    prompt=medium.prompt,
                    product=medium.product,
                ),
                pipeline=self.pipeline,
                frame=frame.frame_id,
            )
            for frame in known.framed.frames
        ]
        return [*extracted, Output(known.framed, pipeline=self.pipeline)]

    async def _from_parts(self, media_id: str, known: FrameList) -> list[Output]:
        """The stored items of a complete result as if ``embed`` had just made them."""
        latest = await self._parts.latest(media_id)
        if latest is None or latest.status != "complete" or latest.pipeline != self.pipeline:
            return []
        parts = await self._parts.parts(media_id)
        items = parts.frames.get((latest.root, latest.pipeline), {})
        if len(items) != len(known.framed.frames):
            return []
        embedded = []
        for frame in known.framed.frames:
            data = items[frame.frame_id].data
            again = ItemsEmbedded(
                media_id=media_id,
                frame=frame,
                embedder=data.embedder,
                items=[_embedded(item) for item in data.items],
                notes=data.notes,
                product=known.framed.product,
            )
            embedded.append(Output(again, pipeline=self.pipeline, frame=frame.frame_id))
        framed = known.framed.model_copy(update={"cached": True})
        return [*embedded, Output(framed, pipeline=self.pipeline)]


def _about(product: Product | None, known: FrameList) -> FrameList:
    """The same frames, with what is known of their product now: its price may have changed."""
    framed = known.framed.model_copy(update={"product": product})
    return known.model_copy(update={"framed": framed})


def _embedded(item: EmbeddedItem) -> EmbeddedItem:
    """The item without what match or index added to it."""
    return EmbeddedItem.model_validate(
        item.model_dump(include=set(EmbeddedItem.model_fields), round_trip=True)
    )
