"""Where a result goes: a JSON blob, the media collection, and the record of its revision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from consumers.results.fold import Folded
from core.blobs.port import Blob, BlobStore
from core.envelope import dump
from core.errors import (
    BlobMissingError,
    CollectionMissingError,
    EmbedderMismatchError,
    SchemaError,
)
from core.events import MediaTagged, TaggedItem, Vectors
from core.ids import content_hash, point_id, tagged_id
from core.results.keys import result_key
from core.results.parts import Latest, PartStore
from core.vectors.port import CollectionSpec, Filter, Point, VectorStore

_log = structlog.get_logger()

_OF_MEDIA = "media_items__"
_INDEXED = ("media_id", "item_id", "class_name", "category")


@dataclass(frozen=True, slots=True)
class Revised:
    """A stored revision that waits to be announced."""

    tagged: MediaTagged
    event_id: str
    latest: Latest


class ResultWriter:
    """Writes results so that a repeat changes nothing.

    Args:
        dims: embedder -> numbers of its vectors, of those that are known here. The first medium of
            an embedder decides for all that come after it, so it has to be right.
    """

    def __init__(
        self,
        parts: PartStore,
        blobs: BlobStore,
        vectors: VectorStore,
        dims: Mapping[str, int] | None = None,
    ) -> None:
        self._dims = dims or {}
        self._parts = parts
        self._blobs = blobs
        self._vectors = vectors
        self._created: set[str] = set()

    async def store(self, root: str, folded: Folded) -> Revised | None:
        """The revision to announce, or None where the newest one says the same already."""
        pipeline = folded.tagged.pipeline
        media = folded.tagged.media_id
        key = result_key(media, pipeline)
        bare = folded.tagged.model_copy(update={"revision": 0, "result_key": key})
        digest = content_hash(dump(bare))
        latest = await self._parts.latest(media)
        if latest is not None and latest.digest == digest:
            if latest.announced:
                return None
            revision = latest.revision
        else:
            revision = 1 + (latest.revision if latest is not None else await self._said(key))
        tagged = bare.model_copy(update={"revision": revision})
        value = dump(tagged)
        embedder = tagged.embedder if folded.unique and tagged.product is None else None
        new = Latest(
            revision=revision,
            digest=digest,
            pipeline=pipeline,
            root=root,
            status=tagged.status,
            announced=False,
            collections=[media_collection(embedder)] if embedder is not None else [],
        )
        # Where vectors may stand is noted before they do, so that whoever folds the medium next,
        # on whatever host, finds those of an attempt that a crash cut short.
        holding = {*await self._holding(latest), *(new.collections or [])}
        begun = new.model_copy(update={"collections": sorted(holding)})
        await self._parts.put_latest(media, begun)
        await self._blobs.put([Blob(key, value, "application/json")])
        if embedder is not None:
            await self._replace_vectors(media, embedder, folded.unique, folded.vectors)
        for collection in holding.difference(new.collections or []):
            await self._remove_vectors(collection, Filter({"media_id": [media]}))
        return Revised(tagged, tagged_id(media, revision, value), new)

    async def announced(self, revised: Revised) -> None:
        """Notes that the revision stands in the log."""
        done = revised.latest.model_copy(update={"announced": True})
        await self._parts.put_latest(revised.tagged.media_id, done)

    async def _said(self, key: str) -> int:
        """The revision of the stored result, where the record of it is gone or cannot be read: a
        lower one would be taken for an old one. 0 where there is none."""
        if await self._blobs.stat(key) is None:
            return 0
        try:
            return MediaTagged.model_validate_json(await self._blobs.get(key)).revision
        except (ValidationError, BlobMissingError):
            return 0

    async def _holding(self, latest: Latest | None) -> list[str]:
        """Collections that may hold vectors of an earlier revision."""
        if latest is None:
            return []
        if latest.collections is not None:
            return latest.collections
        return [name for name in await self._vectors.collections() if name.startswith(_OF_MEDIA)]

    async def _replace_vectors(
        self, media: str, embedder: str, unique: list[TaggedItem], vectors: Vectors
    ) -> None:
        """The medium's unique items, and no others, stand in the collection of their embedder."""
        collection = media_collection(embedder)
        if vectors.shape[1] != (dim := self._dims.get(embedder, vectors.shape[1])):
            raise SchemaError(f"vectors of {vectors.shape[1]} numbers; {embedder} makes {dim}")
        if collection not in self._created:
            spec = CollectionSpec(collection, embedder, vectors.shape[1], _INDEXED)
            try:
                await self._vectors.create(spec)
            except EmbedderMismatchError as error:
                # The collection is this embedder's: it is these vectors that are of another size.
                raise SchemaError(str(error)) from error
            self._created.add(collection)
        points = [
            Point(point_id(item.item_id), vector, _payload(media, item))
            for item, vector in zip(unique, vectors, strict=True)
        ]
        try:
            await self._vectors.upsert(collection, embedder, points)
        except CollectionMissingError:
            self._created.discard(collection)  # somebody dropped it: the next try makes it anew
            raise
        stale = Filter({"media_id": [media]}, {"item_id": [point.id for point in points]})
        await self._remove_vectors(collection, stale)

    async def _remove_vectors(self, collection: str, where: Filter) -> None:
        try:
            await self._vectors.delete(collection, where)
        except CollectionMissingError:
            _log.info("vectors_gone_already", collection=collection)


def media_collection(embedder: str) -> str:
    """One collection for all media of an embedder; a new model starts a new one."""
    return f"{_OF_MEDIA}{hashlib.sha256(embedder.encode()).hexdigest()[:8]}"


def _payload(media: str, item: TaggedItem) -> dict[str, object]:
    return {
        "media_id": media,
        "item_id": item.item_id,
        "frame_id": item.frame_id,
        "filename": item.crop_key.rpartition("/")[2],
        "file_path": item.crop_key,
        "class_name": item.label,
        "category": item.category,
        "bbox": list(item.box),
    }
