"""frames: a medium becomes its key frames.

Reads ``media.uploaded``. Decodes the medium (in a child process), stores each key frame, and
publishes ``frames.extracted`` once a frame and ``media.framed`` once a medium. The list of frames
is stored before anything is published, so a retry on whatever host publishes the same.

The same bytes again begin at the last topic that today's versions have not changed: items that are
stored whole go to ``items.embedded``, or without their vectors to ``items.segmented`` where the
embedder is another, under the new root; else the stored frames go to ``frames.extracted``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.blobs.keys import frame_key
from core.blobs.port import Blob, BlobStore
from core.envelope import Event
from core.events import (
    Data,
    EmbeddedItem,
    Frame,
    FrameExtracted,
    Item,
    ItemsEmbedded,
    ItemsIndexed,
    ItemsMatched,
    ItemsSegmented,
    MediaFramed,
    MediaUploaded,
    Product,
)
from core.ids import frame_id
from core.intake.room import Room
from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.paths import first, leads_to
from core.results.parts import FrameList, PartStore
from core.runtime.stage import Context, Output, Stage
from core.state.port import StateStore

_MANY_BYTES = 64 << 20


class FramesStage(Stage):
    name = "frames"
    reads = (MediaUploaded,)
    lane = "media"

    def __init__(
        self, blobs: BlobStore, state: StateStore, decoder: Decoder, version: str, pipeline: str
    ) -> None:
        """
        Args:
            version: of the decoder and its options.
            pipeline: the whole path that this and the stages behind it make, ``embed`` included.
        """
        self.version = version
        self._pipeline = pipeline
        self._segmented = first(pipeline, 2)
        self._blobs = blobs
        self._parts = PartStore(state)
        self._decoder = decoder

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        upload = event.of(MediaUploaded)
        known = await self._parts.frame_list(upload.subject, self.step)
        if known is None:
            return self._published(await self._decode(upload))
        known = _about(upload.data.product, known)
        if known.root == upload.root:
            return self._published(known)
        return await self._from_parts(known) or self._published(known)

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
        await self._parts.put_frame_list(medium.media_id, self.step, known)
        return known

    async def _store(self, media_id: str, decoded: Decoded) -> list[Frame]:
        frames, blobs = [], []
        for file in decoded.frames:
            key = frame_key(self.step, media_id, file.time_ms)
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

    def _published(self, known: FrameList) -> list[Output]:
        framed = known.framed
        extracted = [
            Output(
                FrameExtracted(
                    media_id=framed.media_id,
                    frame=frame,
                    prompt=known.prompt,
                    product=framed.product,
                ),
                frame=frame.frame_id,
            )
            for frame in framed.frames
        ]
        return [*extracted, Output(framed)]

    async def _from_parts(self, known: FrameList) -> list[Output]:
        """What is stored of these frames, as if the stage that made it had just made it; nothing
        where it is not all there."""
        framed = known.framed
        parts = await self._parts.parts(framed.media_id)
        runs = parts.reusable()
        if (run := runs.get(self._pipeline)) is not None:
            path, cached = self._pipeline, True
            make: Callable[..., ItemsEmbedded | ItemsSegmented] = _embedded
        else:
            run = next((run for path, run in runs.items() if leads_to(self._segmented, path)), None)
            path, cached, make = self._segmented, False, _segmented
        items = parts.frames[run] if run is not None else {}
        if not items.keys() >= {frame.frame_id for frame in framed.frames}:
            return []
        again = [make(framed, frame, items[frame.frame_id].data) for frame in framed.frames]
        outputs = [Output(data, pipeline=path, frame=data.frame.frame_id) for data in again]
        return [*outputs, Output(framed.model_copy(update={"cached": cached}))]


def _embedded(
    framed: MediaFramed, frame: Frame, known: ItemsMatched | ItemsIndexed
) -> ItemsEmbedded:
    """The items without what match or index added to them."""
    fields = set(EmbeddedItem.model_fields)
    return ItemsEmbedded(
        media_id=framed.media_id,
        frame=frame,
        embedder=known.embedder,
        items=[
            EmbeddedItem.model_validate(item.model_dump(include=fields, round_trip=True))
            for item in known.items
        ],
        notes=known.notes,
        product=framed.product,
    )


def _segmented(
    framed: MediaFramed, frame: Frame, known: ItemsMatched | ItemsIndexed
) -> ItemsSegmented:
    """The items without their vectors, too."""
    fields = set(Item.model_fields)
    return ItemsSegmented(
        media_id=framed.media_id,
        frame=frame,
        items=[Item.model_validate(item.model_dump(include=fields)) for item in known.items],
        notes=known.notes,
        product=framed.product,
    )


def _about(product: Product | None, known: FrameList) -> FrameList:
    """The same frames, with what is known of their product now: its price may have changed."""
    framed = known.framed.model_copy(update={"product": product})
    return known.model_copy(update={"framed": framed})
